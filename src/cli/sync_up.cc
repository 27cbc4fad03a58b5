#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <optional>

#include <fmt/format.h>

#include "cli/local_sender.h"
#include "cli/local_walk.h"
#include "cli/sync.h"

namespace pfs::cli {
namespace {

using client::FileInfo;
using client::FileKind;

constexpr std::uint32_t kPermissionBits = 0777;

bool same_kind(const LocalEntry& local, const FileInfo& remote) {
  switch (remote.kind) {
    case FileKind::kFile: return local.is_file();
    case FileKind::kDirectory: return local.is_directory();
    case FileKind::kSymlink: return local.is_symlink();
    case FileKind::kOther: return false;
  }
  return false;
}

/// A directory's time follows from what comes and goes in it: by itself it is no difference.
bool same_attributes(const LocalEntry& local, const FileInfo& remote) {
  const bool same_mode = local.is_symlink() ||
                         (local.found.st_mode & kPermissionBits) == (remote.mode & kPermissionBits);
  return same_mode && (local.is_directory() || local.modified() == remote.modified);
}

/// Goes along the branch's listing and the local directory, which have the same order, and sends
/// what differs.
class UpSync {
 public:
  UpSync(const client::Connection& connection, BranchRef branch, RepoPath top,
         const SyncOptions& options, LocalWalk walk, Progress& progress)
      : connection_(connection),
        branch_(std::move(branch)),
        top_(std::move(top)),
        options_(options),
        walk_(std::move(walk)),
        progress_(progress) {}

  Result<void> meet(const FileInfo& remote);
  Result<SyncCounts> end();

 private:
  enum class Difference { kNone, kAttributes, kContent };

  /// A local directory on the way to the current entry.
  struct Open {
    RepoPath path;
    client::Upload::Attributes attributes;
    bool sent = false;
  };

  RepoPath target_of(const LocalEntry& local) const;
  Result<Difference> compare(const LocalEntry& local, const FileInfo& remote) const;
  Result<void> take_local(const FileInfo* remote);
  Result<void> put(const LocalEntry& local, bool replaces);
  Result<void> change(const LocalEntry& local);
  Result<void> remove(const RepoPath& path);
  /// Leaves the directories that `path` is not in. Those that were sent are sent again: their times
  /// have changed by what came into them.
  Result<void> leave_for(const RepoPath& path);
  /// Sends the directories that lead to what is sent next.
  Result<void> send_open();
  client::Upload& upload();
  LocalSender& sender();
  void say(char what, const RepoPath& path) const;

  const client::Connection& connection_;
  const BranchRef branch_;
  const RepoPath top_;
  const SyncOptions options_;
  LocalWalk walk_;
  Progress& progress_;
  std::optional<client::Upload> upload_;
  std::optional<LocalSender> sender_;
  std::vector<Open> open_;
  std::optional<RepoPath> removed_;  // the last path removed: what is below it goes with it
  SyncCounts counts_;
};

RepoPath UpSync::target_of(const LocalEntry& local) const {
  auto path = top_;
  for (const auto& part : local.parts) path = path.joined(part);
  return path;
}

client::Upload& UpSync::upload() {
  if (!upload_) upload_.emplace(connection_, branch_, client::Upload::Options{false, true});
  return *upload_;
}

LocalSender& UpSync::sender() {
  if (!sender_) sender_.emplace(upload(), LocalSender::Options(), progress_);
  return *sender_;
}

void UpSync::say(char what, const RepoPath& path) const {
  if (options_.dry_run) fmt::print("{} {}\n", what, printable(path.str()));
}

Result<void> UpSync::meet(const FileInfo& remote) {
  PFS_TRY_ASSIGN(const auto path, RepoPath::parse(remote.path));
  const auto parts = parts_below(top_, path);
  while (walk_.current() != nullptr && walk_.current()->parts < parts) PFS_TRY(take_local(nullptr));
  if (walk_.current() != nullptr && walk_.current()->parts == parts) return take_local(&remote);
  return remove(path);
}

Result<SyncCounts> UpSync::end() {
  while (walk_.current() != nullptr) PFS_TRY(take_local(nullptr));
  PFS_TRY(leave_for(RepoPath()));
  if (!upload_) return counts_;
  if (sender_) PFS_TRY(sender_->outcome());
  PFS_TRY_ASSIGN(const auto outcome, upload_->finish());
  counts_.commit = outcome.commit;
  return counts_;
}

Result<void> UpSync::take_local(const FileInfo* remote) {
  const auto& local = *walk_.current();
  const auto path = target_of(local);
  PFS_TRY(leave_for(path));
  if (!local.is_file() && !local.is_directory() && !local.is_symlink()) {
    fmt::print(stderr, "{}: is no regular file, and is left out\n", printable(local.path));
    return walk_.next();
  }
  const bool replaces = remote != nullptr && !same_kind(local, *remote);
  auto difference = Difference::kContent;
  if (replaces) {
    PFS_TRY(remove(path));
  } else if (remote != nullptr) {
    PFS_TRY_ASSIGN(difference, compare(local, *remote));
  }
  if (local.is_directory()) open_.push_back({path, attributes_of(local.found), false});
  switch (difference) {
    case Difference::kNone: break;
    case Difference::kAttributes: PFS_TRY(change(local)); break;
    case Difference::kContent: PFS_TRY(put(local, remote != nullptr)); break;
  }
  return walk_.next();
}

Result<UpSync::Difference> UpSync::compare(const LocalEntry& local, const FileInfo& remote) const {
  const bool same = same_attributes(local, remote);
  const auto otherwise = same ? Difference::kNone : Difference::kAttributes;
  if (local.is_directory()) return otherwise;
  if (local.size() != remote.size) return Difference::kContent;
  if (local.is_symlink()) {
    if (!same) return Difference::kContent;
    std::string target(local.size() + 1, '\0');
    const auto got = readlink(local.path.c_str(), target.data(), target.size());
    if (got < 0) return error_from_errno(errno, local.path);
    target.resize(static_cast<std::size_t>(got));
    return target == remote.link_target ? Difference::kNone : Difference::kContent;
  }
  if (!options_.checksum)
    return local.modified() == remote.modified ? otherwise : Difference::kContent;
  PFS_TRY_ASSIGN(const auto digest, file_digest(local.path));
  return digest == remote.sha256 ? otherwise : Difference::kContent;
}

Result<void> UpSync::put(const LocalEntry& local, bool replaces) {
  const auto path = target_of(local);
  ++counts_.put;
  say(replaces ? '~' : '+', path);
  if (options_.dry_run) return {};
  PFS_TRY(send_open());
  if (local.is_directory()) return {};
  if (local.is_symlink()) return sender().send_symlink(local.path, path);
  return sender().send_file(local.path, path);
}

Result<void> UpSync::change(const LocalEntry& local) {
  const auto path = target_of(local);
  ++counts_.changed;
  say('.', path);
  if (options_.dry_run) return {};
  PFS_TRY(send_open());
  return local.is_directory() ? Result<void>() : upload().keep(path, attributes_of(local.found));
}

Result<void> UpSync::remove(const RepoPath& path) {
  const auto& parts = path.parts();
  if (removed_ && parts.size() > removed_->parts().size() &&
      std::equal(removed_->parts().begin(), removed_->parts().end(), parts.begin()))
    return {};
  removed_ = path;
  ++counts_.removed;
  say('-', path);
  return options_.dry_run ? Result<void>() : upload().remove(path);
}

Result<void> UpSync::leave_for(const RepoPath& path) {
  const auto& parts = path.parts();
  while (!open_.empty()) {
    const auto& directory = open_.back();
    const auto& above = directory.path.parts();
    if (parts.size() > above.size() && std::equal(above.begin(), above.end(), parts.begin()))
      return {};
    if (directory.sent) PFS_TRY(upload().directory(directory.path, directory.attributes));
    open_.pop_back();
  }
  return {};
}

Result<void> UpSync::send_open() {
  for (auto& directory : open_) {
    if (directory.sent) continue;
    PFS_TRY(upload().directory(directory.path, directory.attributes));
    directory.sent = true;
  }
  return {};
}

}  // namespace

Result<SyncCounts> sync_up(const client::Connection& connection, const std::string& directory,
                           const CommitRef& ref, const RepoPath& path, const SyncOptions& options,
                           Progress& progress) {
  PFS_TRY_ASSIGN(auto walk, LocalWalk::begin(directory));
  const client::Files files(connection);
  UpSync sync(connection, BranchRef{ref.repo, *ref.branch}, path, options, std::move(walk),
              progress);
  const auto there = files.inspect(ref, path);
  if (!there && there.error().code != Code::kNotFound) return there.error();
  if (there && there->kind != FileKind::kDirectory) {
    return Error{Code::kNotDirectory,
                 fmt::format("{}:{}: is no directory; name one, or a path that is not there yet",
                             ref.str(), printable(path.str()))};
  }
  if (there) {
    const auto depth =
        options.checksum ? client::ListDepth::kAllWithChecksums : client::ListDepth::kAll;
    PFS_TRY(files.list(ref, path, depth,
                       [&sync](const FileInfo& remote) { return sync.meet(remote); }));
  }
  return sync.end();
}

}  // namespace pfs::cli
