#include "cli/local_text.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

#include "base/file.h"

namespace pfs::cli {

Result<std::string> local_text(const std::string& path) {
  UniqueFd opened;
  if (path != "-") {
    opened = UniqueFd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!opened) return error_from_errno(errno, "open " + path);
  }
  const int from = opened ? opened.get() : STDIN_FILENO;
  std::string text;
  std::string buffer(1 << 16, '\0');
  while (true) {
    // a pipe, as `<(command)` is one, is read from the front to the end
    const auto got = read(from, buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return error_from_errno(errno, "read " + (opened ? path : "stdin"));
    if (got == 0) return text;
    text.append(buffer, 0, static_cast<std::size_t>(got));
  }
}

}  // namespace pfs::cli
