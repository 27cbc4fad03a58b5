#pragma once

#include <string>

#include "cli/table.h"

namespace pfs::cli {

/// The colour of a pipeline's or job's state word.
inline Colour colour_of(const std::string& state) {
  if (state == "success" || state == "running") return Colour::kGreen;
  if (state == "failure" || state == "killed") return Colour::kRed;
  return Colour::kYellow;
}

}  // namespace pfs::cli
