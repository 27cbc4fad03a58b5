#pragma once

#include <string>

#include "base/result.h"

namespace pfs::cli {

/// Asks y/N where a person is at the terminal, and `yes` was not given; programs are not asked. `what`: a sentence.
/// Errors: kDenied (the answer was not yes), kInvalid (a person is there, and cannot be asked).
Result<void> confirm(const std::string& what, bool yes);

}  // namespace pfs::cli
