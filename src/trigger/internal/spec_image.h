#pragma once

#include <optional>
#include <string>

#include "base/result.h"

namespace pfs::trigger {

/// Refuses what can be neither an image's name nor its id. Not a part of read_transform(): a spec that is kept is read as it is.
/// Errors: kInvalid (names the field). Source: the grammar of github.com/distribution/reference.
Result<void> check_image(const std::string& image);
/// What its author should know about an image whose name may come to mean another one; nothing where it has a tag that says
/// which, or a digest, or is an id.
std::optional<std::string> image_note(const std::string& image);

}  // namespace pfs::trigger
