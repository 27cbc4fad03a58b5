#include "cli/local_text.h"

#include <unistd.h>

#include <cerrno>

#include "base/file.h"

namespace pfs::cli {

Result<std::string> local_text(const std::string& path) {
  if (path != "-") return read_file(path);
  std::string text;
  std::string buffer(1 << 16, '\0');
  while (true) {
    const auto got = read(STDIN_FILENO, buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return error_from_errno(errno, "read stdin");
    if (got == 0) return text;
    text.append(buffer, 0, static_cast<std::size_t>(got));
  }
}

}  // namespace pfs::cli
