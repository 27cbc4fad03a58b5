#include "cli/editor.h"

#include <spawn.h>
#include <sys/wait.h>

#include <array>
#include <cerrno>
#include <cstdlib>

#include <fmt/format.h>

extern char** environ;

namespace pfs::cli {
namespace {

std::string chosen(const std::string& editor) {
  if (!editor.empty()) return editor;
  for (const char* name : {"VISUAL", "EDITOR"}) {
    const char* value = std::getenv(name);
    if (value != nullptr && *value != '\0') return value;
  }
  return "vi";
}

}  // namespace

Result<void> edit_file(const std::string& path, const std::string& editor) {
  const auto command = chosen(editor);
  // the editor may be a command with arguments; the path is one word whatever is in it
  std::string shell = "sh";
  std::string flag = "-c";
  std::string script = command + " \"$1\"";
  std::string file = path;
  std::array<char*, 6> arguments = {shell.data(), flag.data(), script.data(), shell.data(), file.data(), nullptr};
  pid_t pid = -1;
  if (posix_spawn(&pid, "/bin/sh", nullptr, nullptr, arguments.data(), environ) != 0) {
    return error_from_errno(errno, "start /bin/sh");
  }
  int status = 0;
  while (waitpid(pid, &status, 0) < 0) {
    if (errno != EINTR) return error_from_errno(errno, "wait for the editor");
  }
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return {};
  return Error{Code::kInvalid, fmt::format("editor '{}': ended badly; nothing is changed. Choose one with --editor or EDITOR", command)};
}

}  // namespace pfs::cli
