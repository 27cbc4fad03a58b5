#include "cli/editor.h"

#include <sys/wait.h>

#include <cstdlib>

#include <fmt/format.h>

#include "cli/foreground.h"

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
  PFS_TRY_ASSIGN(const int status, run_in_foreground({"/bin/sh", "-c", command + " \"$1\"", "sh", path}));
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return {};
  return Error{Code::kInvalid, fmt::format("editor '{}': ended badly; nothing is changed. Choose one with --editor or EDITOR", command)};
}

}  // namespace pfs::cli
