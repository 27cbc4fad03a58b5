#pragma once

#include <string_view>
#include <vector>

#include "base/result.h"
#include "cli/output.h"

namespace pfs::cli {

/// The documents of a YAML text as JSON, empty ones left out. Plain scalars are what YAML 1.2's core schema makes of
/// them (`no` is a text); anchors and aliases are resolved. Source: yaml.org, 1.2.2, 10.3.
/// Errors: kInvalid (with line and column: no YAML, a key that is there twice or is no text, a tag of one's own, more than
/// a million values).
Result<std::vector<Json>> read_yaml(std::string_view text);

}  // namespace pfs::cli
