#pragma once

#include <string_view>

#include "base/ids.h"

namespace pfs::trigger {

/// SHA-256 of `bytes`.
Digest sha256(std::string_view bytes);

}  // namespace pfs::trigger
