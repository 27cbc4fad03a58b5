#pragma once

#include <string>

#include "base/result.h"

namespace pfs::cli {

/// Asks y/N where a person is at the terminal, and `yes` was not given; programs are not asked.
/// Errors: kCancelled (the answer was not yes).
Result<void> confirm(const std::string& what, bool yes);

}  // namespace pfs::cli
