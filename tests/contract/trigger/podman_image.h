#pragma once

#include <string>

namespace pfs::test {

/// An image of nothing but a static busybox with a user `nobody`, made by podman on first use.
/// Throws std::runtime_error when it cannot be made.
std::string busybox_image();

}  // namespace pfs::test
