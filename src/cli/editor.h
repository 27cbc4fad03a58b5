#pragma once

#include <string>

#include "base/result.h"

namespace pfs::cli {

/// Has a person change a local file: with `editor`, or else $VISUAL, $EDITOR or vi; a command of the shell's.
/// Errors: kInvalid (the editor cannot be started, or ended badly).
Result<void> edit_file(const std::string& path, const std::string& editor);

}  // namespace pfs::cli
