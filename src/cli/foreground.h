#pragma once

#include <string>
#include <vector>

#include "base/result.h"

namespace pfs::cli {

/// Runs a program that has the terminal until it ends, ctrl-C included: that is for who works in there, not for us.
/// Shape: `words` is its name, looked up in PATH, and its arguments; returns as waitpid(2) gives it. Errors: it cannot be started.
Result<int> run_in_foreground(const std::vector<std::string>& words);

}  // namespace pfs::cli
