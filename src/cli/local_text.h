#pragma once

#include <string>

#include "base/result.h"

namespace pfs::cli {

/// The whole of a small local file, or of stdin for `-`. Errors: kNotFound, kDenied, kIo.
Result<std::string> local_text(const std::string& path);

}  // namespace pfs::cli
