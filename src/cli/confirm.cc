#include "cli/confirm.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <iostream>

#include <fmt/format.h>

#include "base/file.h"

namespace pfs::cli {

Result<void> confirm(const std::string& what, bool yes) {
  if (yes || isatty(STDIN_FILENO) != 1) return {};
  UniqueFd terminal;
  if (isatty(STDERR_FILENO) != 1) {
    // stderr goes to a file: who sits there would not see the question in it
    terminal = UniqueFd(open("/dev/tty", O_WRONLY | O_NOCTTY | O_CLOEXEC));
    if (!terminal) {
      return Error{Code::kInvalid,
                   fmt::format("{} That cannot be asked about, as stderr is no terminal; nothing is "
                               "changed, add --yes",
                               what)};
    }
  }
  const auto question = fmt::format("{}\nAre you sure? [y/N] ", what);
  if (dprintf(terminal ? terminal.get() : STDERR_FILENO, "%s", question.c_str()) < 0)
    return error_from_errno(errno, "ask on the terminal");
  std::string answer;
  std::getline(std::cin, answer);
  if (answer == "y" || answer == "Y" || answer == "yes") return {};
  return Error{Code::kDenied, "nothing is changed"};  // kCancelled is Ctrl-C's
}

}  // namespace pfs::cli
