#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace pfs::api {

/// Cuts a text of JSON objects, one after another (or in one array), into the texts of the objects,
/// which are not looked into any further. Errors: kInvalid (no object at all, an object that does
/// not end, text between them), which says in which document it is where one was before it.
Result<std::vector<std::string>> split_specs(std::string_view text);

}  // namespace pfs::api
