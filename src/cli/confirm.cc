#include "cli/confirm.h"

#include <unistd.h>

#include <iostream>

#include <fmt/format.h>

namespace pfs::cli {

Result<void> confirm(const std::string& what, bool yes) {
  if (yes || isatty(STDIN_FILENO) != 1 || isatty(STDERR_FILENO) != 1) return {};
  fmt::print(stderr, "{}\nAre you sure? [y/N] ", what);
  std::string answer;
  std::getline(std::cin, answer);
  if (answer == "y" || answer == "Y" || answer == "yes") return {};
  return Error{Code::kCancelled, "nothing was done"};
}

}  // namespace pfs::cli
