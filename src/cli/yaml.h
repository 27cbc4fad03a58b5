#pragma once

#include <string>

#include "cli/output.h"

namespace pfs::cli {

/// The same object as a YAML document in block style, with a newline at its end. Strings that would
/// read as something else are in quotes. Source: yaml.org, 1.2.2; JSON's strings are valid there.
std::string yaml_of(const Json& value);

}  // namespace pfs::cli
