#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <fstream>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <boost/filesystem/operations.hpp>

#include "api/client/files.h"
#include "base/file.h"
#include "cli/commands.h"
#include "cli/file_ref.h"
#include "cli/format.h"
#include "cli/table.h"
#include "cli/temporaries.h"

extern char** environ;

namespace pfs::cli {
namespace {

namespace fs = boost::filesystem;
using client::FileDifference;
using client::FileInfo;
using client::FileKind;

constexpr std::size_t kLookedAt =
    8000;                       // bytes in which a zero makes a file binary, as git does it
constexpr int kDiffFailed = 2;  // of diff(1): 0 equal, 1 different

struct Arguments {
  FileRef new_file;
  std::optional<FileRef> old_file;
  std::string command;
  bool name_only = false;
  bool shallow = false;
  bool no_pager = false;
};

/// A directory for the two versions, gone when it ends.
class Versions {
 public:
  static Result<Versions> make() {
    const char* temporary = std::getenv("TMPDIR");
    auto path = std::string(temporary != nullptr && *temporary != 0 ? temporary : "/tmp") +
                "/pfs-diff-XXXXXX";
    if (mkdtemp(path.data()) == nullptr) return error_from_errno(errno, "mkdtemp " + path);
    return Versions(std::move(path));
  }
  Versions(Versions&& other) noexcept
      : path_(std::exchange(other.path_, std::string())), parts_(std::move(other.parts_)) {}
  Versions& operator=(Versions&&) = delete;
  ~Versions() {
    boost::system::error_code ignored;
    if (!path_.empty()) fs::remove_all(path_, ignored);
  }
  std::string path(const char* name) const { return path_ + "/" + name; }

 private:
  explicit Versions(std::string directory)
      : path_(std::move(directory)),
        parts_{{Temporary(path_), Temporary(path("old")), Temporary(path("new"))}} {}
  std::string path_;
  std::array<Temporary, 3> parts_;  // that Ctrl-C takes away
};

/// Takes a file's bytes until one of the first is zero.
class TextSink final : public client::FileSink {
 public:
  explicit TextSink(const std::string& path) : out_(path, std::ios::binary), path_(path) {}

  bool binary() const { return binary_; }
  Result<void> begin(const FileInfo& /*file*/) override { return {}; }
  Result<void> data(std::string_view bytes) override {
    const auto looked_at =
        seen_ < kLookedAt ? bytes.substr(0, kLookedAt - seen_) : bytes.substr(0, 0);
    seen_ += bytes.size();
    binary_ = binary_ || looked_at.find('\0') != looked_at.npos;
    if (binary_) return Error{Code::kCancelled, "the file is binary"};  // the rest is not needed
    if (!out_.write(bytes.data(), static_cast<std::streamsize>(bytes.size())))
      return Error{Code::kIo, path_ + ": could not be written"};
    return {};
  }
  void close() { out_.close(); }

 private:
  std::ofstream out_;
  const std::string path_;
  std::size_t seen_ = 0;
  bool binary_ = false;
};

/// Runs a program that writes to our stdout. Shape: its exit status.
Result<int> run_program(std::vector<std::string> words) {
  std::fflush(stdout);
  std::vector<char*> pointers;
  for (auto& word : words) pointers.push_back(word.data());
  pointers.push_back(nullptr);
  pid_t pid = 0;
  const int failed = posix_spawnp(&pid, pointers[0], nullptr, nullptr, pointers.data(), environ);
  if (failed != 0) return error_from_errno(failed, words[0]);
  int status = 0;
  while (waitpid(pid, &status, 0) < 0) {
    if (errno != EINTR) return error_from_errno(errno, words[0]);
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

class Differ {
 public:
  Differ(const client::Files& files, const Arguments& arguments, Versions versions)
      : files_(files), arguments_(arguments), versions_(std::move(versions)) {}

  /// Commits that the two sides of a difference are in.
  struct Sides {
    CommitRef before;
    CommitRef after;
  };
  Result<void> print(const FileDifference& difference, const Sides& sides);

 private:
  /// Shape: false: it is binary.
  Result<bool> fetch(const CommitRef& commit, const std::optional<FileInfo>& file,
                     const std::string& path);
  Result<void> run_diff(const FileDifference& difference);

  const client::Files& files_;
  const Arguments& arguments_;
  const Versions versions_;
};

std::string label(const std::optional<FileInfo>& file, char side) {
  return file ? side + printable(file->path) : "/dev/null";
}

Result<bool> Differ::fetch(const CommitRef& commit, const std::optional<FileInfo>& file,
                           const std::string& path) {
  TextSink sink(path);
  if (!file || file->kind == FileKind::kDirectory) return true;  // compared as an empty one
  PFS_TRY_ASSIGN(const auto repo_path, RepoPath::parse(file->path));
  if (file->kind == FileKind::kSymlink) {
    PFS_TRY_ASSIGN(const auto info, files_.inspect(commit, repo_path));
    PFS_TRY(sink.data(info.link_target));
    return true;
  }
  if (file->kind != FileKind::kFile) return true;
  const auto got = files_.get(commit, repo_path, 0, sink);
  if (!got && !sink.binary()) return got.error();
  sink.close();
  return !sink.binary();
}

Result<void> Differ::print(const FileDifference& difference, const Sides& sides) {
  const auto& before = difference.before;
  const auto& after = difference.after;
  const auto before_label = label(before, 'a');
  const auto after_label = label(after, 'b');
  if (before && after && before->kind == after->kind && before->mode != after->mode)
    fmt::print("{}: mode {:o} is now {:o}\n", printable(after->path), before->mode, after->mode);
  const auto& either = after ? *after : *before;
  const bool both = before && after;
  if (either.kind == FileKind::kDirectory && (!both || before->kind == FileKind::kDirectory)) {
    if (!both)
      fmt::print("{}: directory {}\n", printable(either.path), after ? "added" : "removed");
    return {};
  }
  PFS_TRY_ASSIGN(const bool before_text, fetch(sides.before, before, versions_.path("old")));
  PFS_TRY_ASSIGN(const bool after_text, fetch(sides.after, after, versions_.path("new")));
  if (before_text && after_text) return run_diff(difference);
  fmt::print("Binary files {} and {} differ\n", before_label, after_label);
  return {};
}

Result<void> Differ::run_diff(const FileDifference& difference) {
  std::vector<std::string> words;
  if (arguments_.command.empty()) {
    words = {"diff",    "-u",
             "--label", label(difference.before, 'a'),
             "--label", label(difference.after, 'b')};
  } else {
    words = {"/bin/sh", "-c", arguments_.command + " \"$@\"", "sh"};
  }
  words.push_back(versions_.path("old"));
  words.push_back(versions_.path("new"));
  PFS_TRY_ASSIGN(const int status, run_program(std::move(words)));
  if (status < kDiffFailed) return {};
  return Error{Code::kIo,
               fmt::format("{}: ended with status {}",
                           arguments_.command.empty() ? "diff" : arguments_.command, status)};
}

void add_name(Table& table, const char* op, Colour colour, const std::optional<FileInfo>& file) {
  if (!file) return;
  const bool is_directory = file->kind == FileKind::kDirectory;
  table.add({Cell(op, colour), Cell(file->path), Cell(is_directory ? "dir" : "file"),
             Cell(format_size(file->size))});
}

Result<void> diff(Session& session, const Arguments& arguments) {
  PFS_TRY_ASSIGN(const auto* connection, session.connection());
  const client::Files files(*connection);
  const client::Files::Place new_place{arguments.new_file.commit, arguments.new_file.path};
  std::optional<client::Files::Place> old_place;
  if (arguments.old_file)
    old_place.emplace(client::Files::Place{arguments.old_file->commit, arguments.old_file->path});
  if (arguments.name_only) {
    std::optional<Table> table;
    return files.diff(new_place, old_place, arguments.shallow,
                      [&](const FileDifference& difference) -> Result<void> {
                        if (!table)
                          table.emplace(stdout, session.terminal(),
                                        std::vector<std::string>{"OP", "NAME", "TYPE", "SIZE"});
                        add_name(*table, "-", Colour::kRed, difference.before);
                        add_name(*table, "+", Colour::kGreen, difference.after);
                        return {};
                      });
  }
  PFS_TRY_ASSIGN(auto versions, Versions::make());
  Differ differ(files, arguments, std::move(versions));
  return files.diff(new_place, old_place, arguments.shallow,
                    [&](const FileDifference& difference) -> Result<void> {
                      Differ::Sides sides{new_place.ref, new_place.ref};
                      if (old_place) {
                        sides.before = old_place->ref;
                      } else if (difference.before) {
                        PFS_TRY_ASSIGN(sides.before, CommitRef::parse_in(new_place.ref.repo,
                                                                         difference.old_commit));
                      }
                      return differ.print(difference, sides);
                    });
}

}  // namespace

void add_diff_file_command(Grammar& grammar, Session& session) {
  const auto arguments = std::make_shared<Arguments>();
  auto& diffs = grammar.command("diff", "file", "Show what has changed in a file or directory",
                                [&session, arguments] { return diff(session, *arguments); });
  add_parsed(diffs, "new", arguments->new_file, "repo@branch:/path, or repo@commit:/path")
      ->required();
  add_parsed(diffs, "old", arguments->old_file,
             "What to compare with (what was there before the newest change)");
  auto* names = diffs.add_flag("--name-only", arguments->name_only, "Names and sizes only");
  diffs.add_flag("-s,--shallow", arguments->shallow, "Leave out what is in sub-directories");
  diffs
      .add_option("--diff-command", arguments->command,
                  "A program that is given the two versions of a file (diff -u)")
      ->excludes(names);
  diffs.add_flag("--no-pager", arguments->no_pager, "Do not page");
}

}  // namespace pfs::cli
