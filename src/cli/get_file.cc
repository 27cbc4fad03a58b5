#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <string>

#include <fmt/format.h>

#include "api/client/files.h"
#include "base/file.h"
#include "cli/commands.h"
#include "cli/file_ref.h"

namespace pfs::cli {
namespace {

struct Arguments {
  FileRef file;
  std::string output;
  bool recursive = false;
  std::uint64_t offset = 0;
};

Result<void> write_all(int fd, std::string_view bytes, const std::string& path) {
  while (!bytes.empty()) {
    const auto written = write(fd, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return error_from_errno(errno, "write " + path);
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
  return {};
}

/// One file, to a path or to stdout.
class FileWriter final : public client::FileSink {
 public:
  /// An empty path: stdout.
  explicit FileWriter(std::string path) : path_(std::move(path)) {}

  Result<void> begin(const client::FileInfo& file) override {
    if (path_.empty()) return {};
    PFS_TRY_ASSIGN(file_, File::open(path_, O_WRONLY | O_CREAT | O_TRUNC, file.mode & 0777));
    return {};
  }
  Result<void> data(std::string_view bytes) override {
    return path_.empty() ? write_all(STDOUT_FILENO, bytes, "stdout")
                         : write_all(file_.fd(), bytes, path_);
  }

 private:
  const std::string path_;
  File file_;
};

/// A directory and what is below it, under a local directory.
class TreeWriter final : public client::FileSink {
 public:
  /// `top`: the path that was asked for, which becomes `directory`.
  TreeWriter(RepoPath top, std::string directory)
      : top_(std::move(top)), directory_(std::move(directory)) {}

  Result<void> begin(const client::FileInfo& file) override {
    PFS_TRY_ASSIGN(path_, local_path(file.path));
    file_ = File();
    switch (file.kind) {
      case client::FileKind::kFile: {
        PFS_TRY_ASSIGN(file_, File::open(path_, O_WRONLY | O_CREAT | O_TRUNC, file.mode & 0777));
        return {};
      }
      case client::FileKind::kDirectory:
        // ours to fill, whatever its mode says
        if (mkdir(path_.c_str(), (file.mode & 0777) | 0700) != 0 && errno != EEXIST)
          return error_from_errno(errno, path_);
        return {};
      case client::FileKind::kSymlink:
        if (unlink(path_.c_str()) != 0 && errno != ENOENT) return error_from_errno(errno, path_);
        if (symlink(file.link_target.c_str(), path_.c_str()) != 0)
          return error_from_errno(errno, path_);
        return {};
      case client::FileKind::kOther: break;
    }
    fmt::print(stderr, "{}: is no regular file, and is left out\n", printable(file.path));
    return {};
  }
  Result<void> data(std::string_view bytes) override { return write_all(file_.fd(), bytes, path_); }

 private:
  /// Checked: a path that is not below what we asked for must not be written anywhere.
  Result<std::string> local_path(const std::string& sent) const {
    PFS_TRY_ASSIGN(const auto path, RepoPath::parse(sent));
    const auto& parts = path.parts();
    const auto depth = top_.parts().size();
    if (parts.size() < depth ||
        !std::equal(top_.parts().begin(), top_.parts().end(), parts.begin())) {
      return Error{Code::kCorrupt, fmt::format("{}: was sent, and {} was asked for",
                                               printable(sent), printable(top_.str()))};
    }
    std::string local = directory_;
    for (auto i = depth; i < parts.size(); ++i) local += "/" + parts[i];
    return local;
  }

  const RepoPath top_;
  const std::string directory_;
  std::string path_;
  File file_;
};

Result<void> get(Session& session, const Arguments& arguments) {
  const auto& commit = arguments.file.commit;
  const auto& path = arguments.file.path;
  if (arguments.recursive && arguments.output.empty()) {
    return Error{Code::kInvalid, "get file: a directory needs a place to go; add -o DIR"};
  }
  PFS_TRY_ASSIGN(const auto* connection, session.connection());
  const client::Files files(*connection);
  const auto output = arguments.output == "-" ? std::string() : arguments.output;
  if (arguments.recursive) {
    TreeWriter writer(path, output);
    return files.get_all(commit, path, writer);
  }
  FileWriter writer(output);
  return files.get(commit, path, arguments.offset, writer);
}

}  // namespace

void add_get_file_command(Grammar& grammar, Session& session) {
  const auto arguments = std::make_shared<Arguments>();
  auto& gets = grammar.command("get", "file", "Print a file, or write it to a local one",
                               [&session, arguments] { return get(session, *arguments); });
  add_parsed(gets, "file", arguments->file, "repo@branch:/path, or repo@commit:/path")->required();
  gets.add_option("-o,--output", arguments->output,
                  "The local file, or with -r directory (default: stdout)");
  auto* recursive =
      gets.add_flag("-r,--recursive", arguments->recursive, "A directory with all that is in it");
  gets.add_option("--offset", arguments->offset, "Begin after so many bytes")->excludes(recursive);
}

}  // namespace pfs::cli
