#include "daemon/part_mounts.h"

#include <pthread.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <exception>
#include <string_view>
#include <utility>

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "base/mounts.h"
#include "base/names.h"
#include "fs/fuse/mount_point.h"

namespace pfs::daemon {

namespace {

constexpr unsigned kThreads = 4;

// What the kernel does for a mount by itself; nosuid and nodev they are in any case. Source: mount(8),
// "FILESYSTEM-INDEPENDENT MOUNT OPTIONS".
constexpr std::array<std::string_view, 8> kOptions{"ro", "rw", "nosuid", "nodev", "noexec", "exec", "noatime", "dirsync"};

Error ending() { return Error{Code::kUnavailable, "pfsd is ending"}; }

Result<std::vector<std::string>> kernel_options(const std::vector<std::string>& asked) {
  std::vector<std::string> options;
  for (const auto& option : asked) {
    if (option == "allow_other") {
      PFS_TRY(fs::check_others_may_enter());  // it is, where it may be
      continue;
    }
    if (std::find(kOptions.begin(), kOptions.end(), option) == kOptions.end())
      return Error{Code::kInvalid, fmt::format("{}: no option of a part; there are ro, noexec, noatime, dirsync and allow_other", printable(option))};
    options.push_back(option);
  }
  return options;
}

// The innermost mount that a directory is in, or at.
MountPoint mount_around(const std::string& directory) {
  MountPoint around;
  for (auto& mount : mount_points()) {
    const bool is_in = mount.point == "/" || directory == mount.point || directory.starts_with(mount.point + "/");
    if (is_in && mount.point.size() >= around.point.size()) around = std::move(mount);
  }
  return around;
}

// Of its ref; the directory in that could have any byte in its name.
std::string source_of(const std::string& whole, const api::Part& part) { return whole + ":" + (part.ref ? part.ref->str() : "."); }

}  // namespace

void PartMounts::open(fs::Vfs& vfs, const std::string& source, std::uint32_t connection) {
  vfs_ = &vfs;
  source_ = source;
  connection_ = connection;
  {
    Lock lock(mutex_);
    running_ = true;
  }
  thread_ = std::thread([this] { run(); });
  pthread_setname_np(thread_.native_handle(), "pfs-parts");
}

void PartMounts::end() {
  {
    Lock lock(mutex_);
    running_ = false;
    tasks_.clear();  // whose callers are told by the broken promise
    changed_.notify_all();
  }
  if (!thread_.joinable()) return;
  thread_.join();
  std::vector<fs::Session*> sessions;
  {
    Lock lock(mutex_);
    for (const auto& mounted : mounted_) sessions.push_back(mounted.session.get());
  }
  // not under the lock: their last thread says that they have ended
  for (auto* session : sessions) {
    if (auto detached = session->detach(); !detached) spdlog::error("{}", detached.error().message);
    session->end();
  }
}

void PartMounts::close() {
  end();
  std::list<Mounted> mounted;
  {
    Lock lock(mutex_);
    mounted.swap(mounted_);
  }
}

Result<void> PartMounts::mount(const api::Part& part, const std::vector<std::string>& options) {
  return carry_out([this, part, options] { return mount_now(part, options); });
}

Result<void> PartMounts::unmount(const std::string& directory) {
  return carry_out([this, directory] { return unmount_now(directory); });
}

Result<void> PartMounts::carry_out(std::function<Result<void>()> work) {
  Task task(std::move(work));
  auto done = task.get_future();
  {
    Lock lock(mutex_);
    if (!running_) return ending();
    tasks_.push_back(std::move(task));
    changed_.notify_all();
  }
  try {
    return done.get();
  } catch (const std::future_error&) {
    return ending();
  } catch (const std::exception& trouble) {
    return Error{Code::kInternal, fmt::format("mounting: {}", trouble.what())};
  }
}

std::vector<api::Part> PartMounts::parts() const {
  std::vector<api::Part> all;
  Lock lock(mutex_);
  for (const auto& mounted : mounted_) {
    if (!mounted.ended && !mounted.unmounted) all.push_back(mounted.part);
  }
  return all;
}

void PartMounts::run() {
  const auto any_ended = [this]() PFS_REQUIRES(mutex_) {
    return std::any_of(mounted_.begin(), mounted_.end(), [](const Mounted& mounted) { return mounted.ended; });
  };
  while (true) {
    std::optional<Task> task;
    {
      Lock lock(mutex_);
      while (running_ && tasks_.empty() && !any_ended()) changed_.wait(mutex_);
      if (!running_) return;
      if (!tasks_.empty()) {
        task = std::move(tasks_.front());
        tasks_.pop_front();
      }
    }
    take_away_ended();
    if (task) (*task)();
  }
}

void PartMounts::take_away_ended() {
  std::list<Mounted> ended;
  {
    Lock lock(mutex_);
    for (auto it = mounted_.begin(); it != mounted_.end();) {
      const auto mounted = it++;
      if (mounted->ended) ended.splice(ended.end(), mounted_, mounted);
    }
  }
  for (const auto& mounted : ended) spdlog::info("{}: unmounted from {}", printable(mounted.part.str()), printable(mounted.part.directory));
}

Result<void> PartMounts::mount_now(api::Part part, const std::vector<std::string>& asked) {
  fs::SessionOptions options;
  PFS_TRY_ASSIGN(options.kernel_options, kernel_options(asked));
  PFS_TRY(check_place(part.directory));  // before it is looked at: we would wait for ourselves there
  PFS_TRY_ASSIGN(part.directory, fs::absolute_mount_point(part.directory));
  PFS_TRY(check_place(part.directory));
  PFS_TRY_ASSIGN(options.root, look_up(part));
  options.vfs = vfs_;
  options.cached = false;
  options.mount_path = part.directory;
  options.source = source_of(source_, part);
  options.threads = kThreads;
  options.live = connections();
  PFS_TRY_ASSIGN(auto session, fs::Session::mount(options));
  Mounted* mounted = nullptr;
  {
    Lock lock(mutex_);
    mounted_.push_back({std::move(part), std::move(session)});
    mounted = &mounted_.back();
  }
  auto started = mounted->session->start([this, mounted] {
    Lock lock(mutex_);
    mounted->ended = true;
    changed_.notify_all();
  });
  if (!started) {
    std::list<Mounted> failed;  // unmounted without the lock
    Lock lock(mutex_);
    failed.splice(failed.end(), mounted_, std::prev(mounted_.end()));
    return started;
  }
  spdlog::info("{}: mounted on {}", printable(mounted->part.str()), printable(mounted->part.directory));
  return {};
}

Result<void> PartMounts::unmount_now(const std::string& directory) {
  PFS_TRY_ASSIGN(const auto place, fs::absolute_mount_point(directory));
  auto* session = session_at(place);
  if (session == nullptr) return Error{Code::kNotFound, fmt::format("{}: no part is mounted there; `pfs list mount` shows those that are", printable(place))};
  PFS_TRY(session->detach());
  if (session->place()) return {};  // it is bound elsewhere, too
  Lock lock(mutex_);
  for (auto& mounted : mounted_) mounted.unmounted = mounted.unmounted || mounted.session.get() == session;
  return {};
}

fs::Session* PartMounts::session_at(const std::string& directory) const {
  std::vector<fs::Session*> sessions;
  {
    Lock lock(mutex_);
    for (const auto& mounted : mounted_) sessions.push_back(mounted.session.get());
  }
  const auto found = std::find_if(sessions.begin(), sessions.end(), [&](const auto* session) { return session->place() == directory; });
  return found == sessions.end() ? nullptr : *found;
}

std::vector<std::uint32_t> PartMounts::connections() const {
  std::vector<std::uint32_t> all{connection_};
  Lock lock(mutex_);
  for (const auto& mounted : mounted_) {
    if (!mounted.ended) all.push_back(mounted.session->connection());
  }
  return all;
}

Result<void> PartMounts::check_place(const std::string& directory) const {
  const auto live = connections();
  const auto serves = [&](const MountPoint& mount) {
    return mount.source.starts_with(source_) && std::find(live.begin(), live.end(), mount.minor) != live.end();
  };
  const auto there = mount_around(directory);
  if (there.point == directory && serves(there))
    return Error{Code::kExists, fmt::format("{}: {} is mounted there; unmount it first (`fusermount3 -u {}`) or choose another directory",
                                            printable(directory), printable(there.source), printable(directory))};
  if (serves(mount_around(directory.substr(0, std::max<std::size_t>(directory.rfind('/'), 1)))))
    return Error{Code::kInvalid, fmt::format("{}: is in a mount of this store; choose a directory outside", printable(directory))};
  return {};
}

Result<fs::NodeId> PartMounts::look_up(const api::Part& part) {
  if (!part.ref) return fs::kRootNode;
  fs::Caller caller;
  caller.uid = geteuid();
  caller.gid = getegid();
  const auto step = [&](fs::NodeId directory, const std::string& name) -> Result<fs::NameReply> {
    auto found = vfs_->lookup(caller, directory, name);
    vfs_->forget(directory, 1);
    if (found && found->node) return found;
    if (directory == fs::kRootNode && !found) return found;
    if (!found && found.error().code != Code::kNotFound) return found;
    return Error{Code::kNotFound, fmt::format("{}: no such directory", printable(part.str()))};
  };
  PFS_TRY_ASSIGN(auto found, step(fs::kRootNode, part.ref->str()));
  if (found.stat.stat.attributes.kind == store::Kind::kSymlink) {
    // a commit by its place in the history, or an open one
    auto leads_to = vfs_->read_link(found.node);
    vfs_->forget(found.node, 1);
    PFS_TRY(leads_to);
    PFS_TRY_ASSIGN(found, step(fs::kRootNode, *leads_to));
  }
  for (const auto& name : part.path.parts()) {
    PFS_TRY_ASSIGN(found, step(found.node, name));
  }
  if (found.stat.stat.attributes.kind == store::Kind::kDirectory) return found.node;
  vfs_->forget(found.node, 1);
  return Error{Code::kNotDirectory, fmt::format("{}: not a directory, so it cannot be mounted; choose one", printable(part.str()))};
}

}  // namespace pfs::daemon
