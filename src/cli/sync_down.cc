#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>

#include <fmt/format.h>
#include <boost/filesystem/operations.hpp>

#include "api/client/admin.h"
#include "api/client/commits.h"
#include "base/file.h"
#include "cli/local_walk.h"
#include "cli/sync.h"
#include "cli/temporaries.h"

namespace pfs::cli {
namespace {

namespace fs = boost::filesystem;
using client::FileInfo;
using client::FileKind;

constexpr std::uint32_t kPermissionBits = 0777;
constexpr std::size_t kBatch = 1000;  // files in one call

Result<void> set_time(const std::string& path, Timestamp time) {
  const timespec at{time.seconds(), time.fraction()};
  const timespec times[] = {at, at};
  if (utimensat(AT_FDCWD, path.c_str(), times, AT_SYMLINK_NOFOLLOW) == 0) return {};
  return error_from_errno(errno, path);
}

/// Files under temporary names beside their own, renamed when they are whole.
class FileReplacer final : public client::FileSink {
 public:
  FileReplacer(RepoPath top, std::string directory, Progress& progress)
      : top_(std::move(top)), directory_(std::move(directory)), progress_(progress) {}
  ~FileReplacer() override {
    if (file_) unlink(temporary_.c_str());
  }

  Result<void> begin(const FileInfo& info) override {
    PFS_TRY(end_file());
    PFS_TRY_ASSIGN(const auto path, RepoPath::parse(info.path));
    std::string directory = directory_;
    for (const auto& part : parts_below(top_, path.parent())) directory += "/" + part;
    path_ = directory + "/" + path.name();
    temporary_ = directory + "/.pfs-sync-" + std::to_string(getpid());
    on_interrupt_ = Temporary(temporary_);
    PFS_TRY_ASSIGN(file_, File::open(temporary_, O_WRONLY | O_CREAT | O_TRUNC, 0600));
    info_ = info;
    written_ = 0;
    progress_.expect(info.size);
    return {};
  }
  Result<void> data(std::string_view bytes) override {
    PFS_TRY(file_.write_at(written_, as_bytes(bytes)));
    written_ += bytes.size();
    progress_.add(bytes.size());
    return {};
  }
  Result<void> end_file() {
    if (!file_) return {};
    PFS_TRY(client::check_whole(path_, info_.size - std::min(info_.size, written_)));
    if (fchmod(file_.fd(), info_.mode & kPermissionBits) != 0)
      return error_from_errno(errno, temporary_);
    PFS_TRY(set_time(temporary_, info_.modified));
    if (rename(temporary_.c_str(), path_.c_str()) != 0) return error_from_errno(errno, path_);
    on_interrupt_ = Temporary();
    file_ = File();
    return {};
  }

 private:
  const RepoPath top_;
  const std::string directory_;
  Progress& progress_;
  File file_;
  FileInfo info_;
  std::string path_;
  std::string temporary_;
  Temporary on_interrupt_;
  std::uint64_t written_ = 0;
};

class DownSync {
 public:
  DownSync(const client::Files& files, CommitRef ref, RepoPath top, std::string directory,
           const SyncOptions& options, LocalWalk walk, Progress& progress)
      : files_(files),
        ref_(std::move(ref)),
        top_(std::move(top)),
        directory_(std::move(directory)),
        options_(options),
        walk_(std::move(walk)),
        writer_(top_, directory_, progress) {}

  Result<void> meet(const FileInfo& remote);
  Result<SyncCounts> end();

 private:
  std::string local_path(const std::vector<std::string>& parts) const;
  Result<void> remove_local();
  Result<void> meet_local(const FileInfo& remote, const std::string& path);
  Result<bool> same_content(const FileInfo& remote, const LocalEntry& local) const;
  Result<void> set_attributes(const FileInfo& remote, const std::string& path);
  Result<void> make(const FileInfo& remote, const std::string& path);
  Result<void> get_waiting();
  void say(char what, const std::string& path) const {
    if (options_.dry_run) fmt::print("{} {}\n", what, printable(path));
  }

  struct Directory {
    std::string path;
    std::uint32_t mode;
    Timestamp modified;
  };

  const client::Files& files_;
  const CommitRef ref_;
  const RepoPath top_;
  const std::string directory_;
  const SyncOptions options_;
  LocalWalk walk_;
  FileReplacer writer_;
  std::vector<RepoPath> waiting_;  // files whose bytes are to be fetched
  std::vector<Directory>
      directories_;  // get their modes and times when nothing comes into them any more
  SyncCounts counts_;
};

std::string DownSync::local_path(const std::vector<std::string>& parts) const {
  auto path = directory_;
  for (const auto& part : parts) path += "/" + part;
  return path;
}

Result<void> DownSync::meet(const FileInfo& remote) {
  PFS_TRY_ASSIGN(const auto path, RepoPath::parse(remote.path));
  const auto parts = parts_below(top_, path);
  while (walk_.current() != nullptr && walk_.current()->parts < parts) PFS_TRY(remove_local());
  const auto local = local_path(parts);
  if (walk_.current() != nullptr && walk_.current()->parts == parts)
    return meet_local(remote, local);
  return make(remote, local);
}

Result<SyncCounts> DownSync::end() {
  while (walk_.current() != nullptr) PFS_TRY(remove_local());
  PFS_TRY(get_waiting());
  for (auto it = directories_.rbegin(); it != directories_.rend(); ++it) {
    if (chmod(it->path.c_str(), it->mode & kPermissionBits) != 0)
      return error_from_errno(errno, it->path);
    PFS_TRY(set_time(it->path, it->modified));
  }
  return counts_;
}

Result<void> DownSync::remove_local() {
  const auto path = walk_.current()->path;
  PFS_TRY(walk_.next_beside());
  ++counts_.removed;
  say('-', path);
  if (options_.dry_run) return {};
  boost::system::error_code error;
  fs::remove_all(path, error);
  if (error) return error_from_errno(error.value(), path);
  return {};
}

Result<void> DownSync::meet_local(const FileInfo& remote, const std::string& path) {
  const auto local = *walk_.current();
  const bool same_kind = (remote.kind == FileKind::kFile && local.is_file()) ||
                         (remote.kind == FileKind::kDirectory && local.is_directory()) ||
                         (remote.kind == FileKind::kSymlink && local.is_symlink());
  if (remote.kind == FileKind::kOther) {
    PFS_TRY(walk_.next_beside());
    return make(remote, path);
  }
  if (!same_kind) {
    PFS_TRY(remove_local());
    return make(remote, path);
  }
  PFS_TRY(walk_.next());
  if (local.is_directory()) {
    if (!options_.dry_run) directories_.push_back({path, remote.mode, remote.modified});
    return {};
  }
  PFS_TRY_ASSIGN(const bool same, same_content(remote, local));
  if (!same) {
    if (local.is_symlink() && !options_.dry_run && unlink(path.c_str()) != 0)
      return error_from_errno(errno, path);
    return make(remote, path);
  }
  const bool same_mode = (local.found.st_mode & kPermissionBits) == (remote.mode & kPermissionBits);
  if (local.is_symlink() || (same_mode && local.modified() == remote.modified)) return {};
  ++counts_.changed;
  say('.', path);
  return options_.dry_run ? Result<void>() : set_attributes(remote, path);
}

Result<bool> DownSync::same_content(const FileInfo& remote, const LocalEntry& local) const {
  if (local.size() != remote.size) return false;
  if (local.is_symlink()) {
    boost::system::error_code error;
    const auto target = fs::read_symlink(local.path, error);
    return !error && target.native() == remote.link_target;
  }
  if (!options_.checksum) return local.modified() == remote.modified;
  PFS_TRY_ASSIGN(const auto digest, file_digest(local.path));
  return digest == remote.sha256;
}

Result<void> DownSync::set_attributes(const FileInfo& remote, const std::string& path) {
  if (chmod(path.c_str(), remote.mode & kPermissionBits) != 0) return error_from_errno(errno, path);
  return set_time(path, remote.modified);
}

Result<void> DownSync::make(const FileInfo& remote, const std::string& path) {
  if (remote.kind == FileKind::kOther) {
    fmt::print(stderr, "{}: is no regular file, and is left out\n", printable(remote.path));
    return {};
  }
  ++counts_.put;
  say('+', path);
  if (options_.dry_run) return {};
  if (remote.kind == FileKind::kDirectory) {
    if (mkdir(path.c_str(), 0700) != 0) return error_from_errno(errno, path);
    directories_.push_back({path, remote.mode, remote.modified});
    return {};
  }
  if (remote.kind == FileKind::kSymlink) {
    if (symlink(remote.link_target.c_str(), path.c_str()) != 0)
      return error_from_errno(errno, path);
    return set_time(path, remote.modified);
  }
  PFS_TRY_ASSIGN(auto repo_path, RepoPath::parse(remote.path));
  waiting_.push_back(std::move(repo_path));
  return waiting_.size() < kBatch ? Result<void>() : get_waiting();
}

Result<void> DownSync::get_waiting() {
  if (waiting_.empty()) return {};
  PFS_TRY(files_.get_each(ref_, waiting_, writer_));
  waiting_.clear();
  return writer_.end_file();
}

/// One state for all calls: the commit that is HEAD; what is not committed yet has no other name than the branch's.
CommitRef pinned(const client::Connection& connection, const CommitRef& named) {
  if (!named.branch) return named;
  if (named.ancestry.direction == Ancestry::Direction::kNone) {
    const auto status = client::Admin(connection).status();
    if (!status) return named;
    const auto branch = named.branch->str();
    for (const auto& open : status->open_commits) {
      if (open.repo == named.repo.str() && open.branch == branch) return named;
    }
  }
  const auto commit = client::Commits(connection).inspect(named);
  if (!commit || !commit->finished) return named;  // whatever is wrong, listing it will tell
  const auto id = CommitId::from_hex(commit->id);
  if (!id) return named;
  CommitRef head;
  head.repo = named.repo;
  head.id = *id;
  return head;
}

/// Of the directory, which is made where it is to be filled.
Result<LocalWalk> walk_of(const std::string& directory, bool dry_run) {
  if (dry_run && access(directory.c_str(), F_OK) != 0 && errno == ENOENT)
    return LocalWalk::nothing();
  if (!dry_run && mkdir(directory.c_str(), 0777) != 0 && errno != EEXIST)
    return error_from_errno(errno, directory);
  return LocalWalk::begin(directory);
}

}  // namespace

Result<SyncCounts> sync_down(const client::Connection& connection, const CommitRef& named,
                             const RepoPath& path, const std::string& directory,
                             const SyncOptions& options, Progress& progress) {
  const client::Files files(connection);
  const auto ref = pinned(connection, named);
  PFS_TRY_ASSIGN(const auto top, files.inspect(ref, path));
  if (top.kind != FileKind::kDirectory) {
    return Error{Code::kNotDirectory, fmt::format("{}:{}: is no directory; use get file",
                                                  named.str(), printable(path.str()))};
  }
  PFS_TRY_ASSIGN(auto walk, walk_of(directory, options.dry_run));
  DownSync sync(files, ref, path, directory, options, std::move(walk), progress);
  const auto depth =
      options.checksum ? client::ListDepth::kAllWithChecksums : client::ListDepth::kAll;
  PFS_TRY(
      files.list(ref, path, depth, [&sync](const FileInfo& remote) { return sync.meet(remote); }));
  return sync.end();
}

}  // namespace pfs::cli
