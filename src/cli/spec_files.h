#pragma once

#include <string>
#include <vector>

#include "api/client/pipelines.h"
#include "base/result.h"

namespace pfs::cli {

/// Pipeline specs from a file, a http or https URL, or `-` for stdin: JSON objects one after another or in an array where
/// the first byte is `{` or `[`, else YAML documents. Shape: at least one; their origins say where they come from.
/// Errors: kInvalid (no spec in it, no YAML), those of reading.
Result<std::vector<client::SpecText>> read_specs(const std::string& source);

/// The same of all files `*.json`, `*.yaml` and `*.yml` in a directory, in the order of their names, or of one source.
Result<std::vector<client::SpecText>> read_specs_in(const std::string& source);

/// The specs in a text; `origin` says where it is from.
Result<std::vector<client::SpecText>> specs_in(const std::string& text, const std::string& origin);

}  // namespace pfs::cli
