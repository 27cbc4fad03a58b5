#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <boost/filesystem/directory.hpp>
#include <boost/filesystem/operations.hpp>

#include "api/client/files.h"
#include "base/file.h"
#include "cli/commands.h"
#include "cli/file_ref.h"
#include "cli/local_text.h"

namespace pfs::cli {
namespace {

namespace fs = boost::filesystem;

constexpr std::size_t kReadBytes = 1 << 20;
constexpr std::uint32_t kPermissionBits = 0777;
constexpr std::uint32_t kModeOfStdin = 0644;

struct Arguments {
  FileRef target;
  std::vector<std::string> sources;
  std::string source_list;
  bool recursive = false;
  bool append = false;
  bool overwrite = false;
};

/// Sends local files, one after another, over one upload.
class Sender {
 public:
  Sender(client::Upload& upload, bool recursive)
      : upload_(upload), recursive_(recursive), buffer_(kReadBytes, '\0') {}

  /// A file, a directory with what is below it, or `-`.
  Result<void> send(const std::string& source, const RepoPath& target);

 private:
  Result<void> send_file(int fd, const std::string& source, const RepoPath& target,
                         std::uint32_t mode);
  Result<void> send_directory(const std::string& source, const RepoPath& target);
  Result<void> send_symlink(const std::string& source, const RepoPath& target);
  /// What a directory holds: symlinks stay symlinks there.
  Result<void> send_entry(const std::string& source, const RepoPath& target);

  client::Upload& upload_;
  const bool recursive_;
  std::string buffer_;
};

Result<void> Sender::send(const std::string& source, const RepoPath& target) {
  if (source == "-") return send_file(STDIN_FILENO, "stdin", target, kModeOfStdin);
  PFS_TRY_ASSIGN(const auto file,
                 File::open(source, O_RDONLY | O_NONBLOCK));  // a fifo must not stop us here
  struct stat found {};
  if (fstat(file.fd(), &found) != 0) return error_from_errno(errno, source);
  if (S_ISDIR(found.st_mode)) {
    if (recursive_) return send_directory(source, target);
    return Error{Code::kIsDirectory, fmt::format("{}: is a directory; put it with -r", source)};
  }
  if (fcntl(file.fd(), F_SETFL, 0) != 0) return error_from_errno(errno, source);
  return send_file(file.fd(), source, target, found.st_mode & kPermissionBits);
}

Result<void> Sender::send_file(int fd, const std::string& source, const RepoPath& target,
                               std::uint32_t mode) {
  PFS_TRY(upload_.begin_file(target, mode));
  while (true) {
    const auto got = read(fd, buffer_.data(), buffer_.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return error_from_errno(errno, "read " + source);
    if (got == 0) return {};
    PFS_TRY(upload_.data(std::string_view(buffer_.data(), static_cast<std::size_t>(got))));
  }
}

Result<void> Sender::send_directory(const std::string& source, const RepoPath& target) {
  struct stat found {};
  if (stat(source.c_str(), &found) != 0) return error_from_errno(errno, source);
  if (!target.is_root()) PFS_TRY(upload_.directory(target, found.st_mode & kPermissionBits));
  boost::system::error_code error;
  fs::directory_iterator entries(source, error);
  while (!error && entries != fs::directory_iterator()) {
    const auto name = entries->path().filename().native();
    PFS_TRY(send_entry(entries->path().native(), target.joined(name)));
    entries.increment(error);
  }
  if (error) return error_from_errno(error.value(), source);
  return {};
}

Result<void> Sender::send_entry(const std::string& source, const RepoPath& target) {
  struct stat found {};
  if (lstat(source.c_str(), &found) != 0) return error_from_errno(errno, source);
  if (S_ISREG(found.st_mode)) return send(source, target);
  if (S_ISDIR(found.st_mode)) return send_directory(source, target);
  if (S_ISLNK(found.st_mode)) return send_symlink(source, target);
  fmt::print(stderr, "{}: is no regular file, and is left out\n", source);
  return {};
}

Result<void> Sender::send_symlink(const std::string& source, const RepoPath& target) {
  boost::system::error_code error;
  const auto link = fs::read_symlink(source, error);
  if (error) return error_from_errno(error.value(), source);
  return upload_.symlink(target, link.native());
}

Result<std::vector<std::string>> sources_of(const Arguments& arguments) {
  auto sources = arguments.sources;
  if (!arguments.source_list.empty()) {
    PFS_TRY_ASSIGN(const auto text, local_text(arguments.source_list));
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);) {
      if (!line.empty()) sources.push_back(line);
    }
  } else if (sources.empty()) {
    sources.emplace_back("-");
  }
  return sources;
}

bool is_directory(const std::string& path) {
  struct stat found {};
  return stat(path.c_str(), &found) == 0 && S_ISDIR(found.st_mode);
}

Result<void> put(Session& session, const Arguments& arguments) {
  PFS_TRY(session.refuse_in_transaction("put file"));
  PFS_TRY_ASSIGN(const auto branch, arguments.target.branch());
  PFS_TRY_ASSIGN(const auto sources, sources_of(arguments));
  PFS_TRY_ASSIGN(const auto* connection, session.connection());
  client::Upload upload(*connection, branch, arguments.append);
  Sender sender(upload, arguments.recursive);
  for (const auto& source : sources) {
    PFS_TRY_ASSIGN(const auto target, destination(arguments.target, {source, is_directory(source)},
                                                  sources.size() > 1));
    PFS_TRY(sender.send(source, target));
  }
  PFS_TRY(upload.finish());
  return {};
}

}  // namespace

void add_put_file_command(Grammar& grammar, Session& session) {
  const auto arguments = std::make_shared<Arguments>();
  auto& puts =
      grammar.command("put", "file", "Put local files into a branch; all of them in one commit",
                      [&session, arguments] { return put(session, *arguments); });
  add_parsed(puts, "target", arguments->target, "repo@branch[:/path]")->required();
  puts.add_option("-f,--file", arguments->sources,
                  "A local file, or - for stdin (the default); may be given again")
      ->allow_extra_args(false);
  puts.add_option("-i,--input-file", arguments->source_list,
                  "A file (or -) with one source a line");
  puts.add_flag("-r,--recursive", arguments->recursive, "Directories with all that is in them");
  auto* append =
      puts.add_flag("-a,--append", arguments->append, "Add to the end of files that are there");
  puts.add_flag("-o,--overwrite", arguments->overwrite,
                "Replace files that are there (the default)")
      ->excludes(append);
}

}  // namespace pfs::cli
