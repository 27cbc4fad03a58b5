#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <string>
#include <utility>

#include <fmt/format.h>

#include "api/client/files.h"
#include "base/file.h"
#include "cli/commands.h"
#include "cli/file_ref.h"
#include "cli/mounted_file.h"
#include "cli/progress.h"

namespace pfs::cli {
namespace {

struct Arguments {
  FileRef file;
  std::string output;
  bool recursive = false;
  std::uint64_t offset = 0;
  bool retry = false;
  bool progress = true;
  std::uint64_t parallelism = 0;
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

/// Files one behind the other, to a path or to stdout.
class FileWriter final : public client::FileSink {
 public:
  /// An empty path: stdout. `go_on`: behind what a local file holds. `offset`: where the first file begins.
  FileWriter(std::string path, bool go_on, std::uint64_t offset, Progress& progress)
      : path_(std::move(path)), go_on_(go_on), offset_(offset), progress_(progress) {}

  bool begun() const { return begun_; }
  Result<void> begin(const client::FileInfo& file) override {
    PFS_TRY(end_file());
    progress_.expect(file.size);
    name_ = file.path;
    const auto skipped = std::min(std::exchange(offset_, 0), file.size);
    missing_ = file.kind == client::FileKind::kFile ? file.size - skipped : 0;
    if (!std::exchange(begun_, true) && !path_.empty()) {
      const int flags = O_WRONLY | O_CREAT | (go_on_ ? O_APPEND : O_TRUNC);
      PFS_TRY_ASSIGN(file_, File::open(path_, flags, file.mode & 0777));
    }
    return {};
  }
  Result<void> data(std::string_view bytes) override {
    progress_.add(bytes.size());
    missing_ -= std::min<std::uint64_t>(missing_, bytes.size());
    return path_.empty() ? write_all(STDOUT_FILENO, bytes, "stdout")
                         : write_all(file_.fd(), bytes, path_);
  }
  /// The last file is whole. Errors: kConflict.
  Result<void> end_file() const { return client::check_whole(name_, missing_); }

 private:
  const std::string path_;
  const bool go_on_;
  std::uint64_t offset_;
  Progress& progress_;
  bool begun_ = false;
  File file_;
  std::string name_;           // of the file that began last
  std::uint64_t missing_ = 0;  // bytes of it that have not come yet
};

/// A directory and what is below it, under a local directory.
class TreeWriter final : public client::FileSink {
 public:
  /// `top`: the path that was asked for, which becomes `directory`.
  TreeWriter(RepoPath top, std::string directory, Progress& progress)
      : top_(std::move(top)), directory_(std::move(directory)), progress_(progress) {}

  Result<void> begin(const client::FileInfo& file) override {
    PFS_TRY(end_file());
    PFS_TRY_ASSIGN(path_, local_path(file.path));
    modified_ = file.modified;
    missing_ = file.size;
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
  Result<void> data(std::string_view bytes) override {
    progress_.add(bytes.size());
    missing_ -= std::min<std::uint64_t>(missing_, bytes.size());
    return write_all(file_.fd(), bytes, path_);
  }
  /// The last file is whole: it gets its time.
  Result<void> end_file() {
    if (!file_) return {};
    PFS_TRY(client::check_whole(path_, missing_));
    const timespec time{modified_.seconds(), modified_.fraction()};
    const timespec times[] = {time, time};
    const bool set = futimens(file_.fd(), times) == 0;
    file_ = File();
    if (!set) return error_from_errno(errno, path_);
    return {};
  }

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
  Progress& progress_;
  std::string path_;
  Timestamp modified_;
  std::uint64_t missing_ = 0;  // bytes of the file that have not come yet
  File file_;
};

constexpr std::size_t kBatch = 1000;  // of files in one call
constexpr std::size_t kPiece = std::size_t{1} << 20U;  // of a file that is read through the mount

Result<void> get_tree(const client::Files& files, const CommitRef& commit, const RepoPath& path,
                      const std::string& directory, Progress& progress) {
  TreeWriter writer(path, directory, progress);
  PFS_TRY(files.get_all(commit, path, writer));
  return writer.end_file();
}

/// What a pattern finds; with -r it is put below the directory by its path.
Result<void> get_matches(const client::Files& files, const Arguments& arguments, FileWriter& writer,
                         Progress& progress) {
  const auto& commit = arguments.file.commit;
  std::vector<RepoPath> batch;
  bool found = false;
  const auto flush = [&]() -> Result<void> {
    if (batch.empty()) return {};
    PFS_TRY(files.get_each(commit, batch, writer));
    batch.clear();
    return {};
  };
  const auto take = [&](const client::FileInfo& file) -> Result<void> {
    PFS_TRY_ASSIGN(auto path, RepoPath::parse(file.path));
    if (arguments.recursive) {
      found = true;
      const auto local = arguments.output + "/" + path.name();
      if (mkdir(arguments.output.c_str(), 0777) != 0 && errno != EEXIST)
        return error_from_errno(errno, arguments.output);
      return get_tree(files, commit, path, local, progress);
    }
    if (file.kind != client::FileKind::kFile) return {};
    found = true;
    batch.push_back(std::move(path));
    return batch.size() < kBatch ? Result<void>() : flush();
  };
  PFS_TRY(files.glob(commit, arguments.file.path.str(), take));
  PFS_TRY(flush());
  if (found) return writer.end_file();
  return Error{Code::kNotFound, fmt::format("{}:{}: no such file, and none matches it as a pattern",
                                            commit.str(), printable(arguments.file.path.str()))};
}

bool may_be_pattern(const RepoPath& path) {
  return path.str().find_first_of("*?[{(\\") != std::string::npos;
}

/// How much of the file an earlier attempt has written.
std::uint64_t size_so_far(const std::string& path) {
  struct stat found {};
  return stat(path.c_str(), &found) == 0 ? static_cast<std::uint64_t>(found.st_size) : 0;
}

/// Big files come through the mount, where this machine has it. Shape: false: nothing was done, ask the daemon.
Result<bool> get_mounted(const client::Connection& connection, const Arguments& arguments, std::uint64_t offset,
                         FileWriter& writer) {
  const auto& commit = arguments.file.commit;
  const auto& path = arguments.file.path;
  const auto file = client::Files(connection).inspect(commit, path);
  if (!file || file->kind != client::FileKind::kFile || file->size < offset + kLeastThroughMount) return false;
  const UniqueFd source = open_in_mount(connection, commit, path);
  struct stat found {};
  if (!source || fstat(source.get(), &found) != 0 || !S_ISREG(found.st_mode) ||
      static_cast<std::uint64_t>(found.st_size) != file->size) {
    return false;
  }
  PFS_TRY(writer.begin(*file));
  const auto buffer = std::make_unique_for_overwrite<char[]>(kPiece);
  while (offset < file->size) {
    const auto wanted = std::min<std::uint64_t>(kPiece, file->size - offset);
    const auto got = pread(source.get(), buffer.get(), wanted, static_cast<off_t>(offset));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return error_from_errno(errno, fmt::format("{}:{}", commit.str(), printable(path.str())));
    if (got == 0) break;  // cut off meanwhile, which the writer tells
    PFS_TRY(writer.data({buffer.get(), static_cast<std::size_t>(got)}));
    offset += static_cast<std::uint64_t>(got);
  }
  return true;
}

/// Where the bytes go; empty: to stdout.
std::string local_output(const Arguments& arguments) {
  return arguments.output == "-" ? std::string() : arguments.output;
}

/// Not where the bytes themselves are shown: the line would stand among them, and wipe some.
bool wants_progress(const Arguments& arguments) {
  const bool shows_bytes = local_output(arguments).empty() && isatty(STDOUT_FILENO) == 1;
  return arguments.progress && !shows_bytes;
}

/// The daemon, which refuses a directory, does not know the flags that would get it.
Error with_advice(Error error, const Arguments& arguments) {
  if (error.code == Code::kIsDirectory && !arguments.recursive) error.message += ": -r -o DIR";
  return error;
}

Result<void> check_output(const Arguments& arguments) {
  if (!local_output(arguments).empty()) return {};
  if (arguments.recursive)
    return Error{Code::kInvalid, "-r: there is no local directory to put it in; add -o DIR"};
  if (arguments.retry)
    return Error{Code::kInvalid, "--retry: there is no local file to go on with; add -o FILE"};
  return {};
}

Result<void> get(Session& session, const Arguments& arguments) {
  const auto& commit = arguments.file.commit;
  const auto& path = arguments.file.path;
  const auto output = local_output(arguments);
  PFS_TRY_ASSIGN(const auto* connection, session.connection());
  const client::Files files(*connection);
  Progress progress("get", wants_progress(arguments));
  const auto offset = arguments.retry ? size_so_far(output) : arguments.offset;
  FileWriter writer(output, arguments.retry, offset, progress);
  if (!arguments.recursive) {
    PFS_TRY_ASSIGN(const bool done, get_mounted(*connection, arguments, offset, writer));
    if (done) return writer.end_file();
  }
  auto got = arguments.recursive ? get_tree(files, commit, path, output, progress)
                                 : files.get(commit, path, offset, writer);
  // a name is taken as it is where there is such a file; else it may be a pattern
  if (!got && got.error().code == Code::kNotFound && !writer.begun() && may_be_pattern(path))
    return get_matches(files, arguments, writer, progress);
  if (!got && !writer.begun()) return with_advice(std::move(got).error(), arguments);
  return got ? writer.end_file() : got;
}

}  // namespace

void add_get_file_command(Grammar& grammar, Session& session) {
  const auto arguments = std::make_shared<Arguments>();
  auto& gets = grammar.command("get", "file", "Print a file, or write it to a local one",
                               [&session, arguments] { return get(session, *arguments); },
                               [arguments] { return check_output(*arguments); });
  add_parsed(gets, "file", arguments->file,
             "repo@branch:/path, or repo@commit:/path; a pattern finds several")
      ->required();
  gets.add_option("-o,--output", arguments->output,
                  "The local file, or with -r directory (default: stdout)");
  auto* recursive =
      gets.add_flag("-r,--recursive", arguments->recursive, "A directory with all that is in it");
  auto* offset = add_number(gets, "--offset", arguments->offset, "Begin after so many bytes")
                     ->excludes(recursive);
  gets.add_flag("--retry", arguments->retry, "Go on behind the bytes that the local file has")
      ->excludes(recursive)
      ->excludes(offset);
  gets.add_flag("--progress,!--no-progress", arguments->progress,
                "Show on a terminal how far it is (the default)");
  add_number(gets, "-p,--parallelism", arguments->parallelism,
             "Accepted for old scripts: one stream fills the connection");
}

}  // namespace pfs::cli
