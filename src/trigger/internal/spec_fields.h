#pragma once

#include <nlohmann/json_fwd.hpp>

#include <string>
#include <vector>

#include "base/result.h"

namespace pfs::trigger {

/// Checks a pipeline spec field by field against the table of all fields of the 1.13 specification: names, types and
/// what is supported. What passes can be read without asking for types again.
/// Shape: a line for each field that has no effect, which says why.
/// Errors: kInvalid, kUnsupported; both name the field by its path.
Result<std::vector<std::string>> check_spec_fields(const nlohmann::json& spec);

}  // namespace pfs::trigger
