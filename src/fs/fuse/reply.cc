#include "fs/fuse/reply.h"

#include <sys/statvfs.h>

#include <algorithm>
#include <cerrno>
#include <exception>
#include <utility>
#include <vector>

#include <spdlog/spdlog.h>

#include "fs/fuse/session_context.h"
#include "fs/fuse/to_errno.h"

namespace pfs::fs {

namespace {

constexpr std::uint32_t kBlock = 512;
constexpr std::uint64_t kSpaceUnit = 4096;
// Programs that buffer by st_blksize send few and big writes: without a writeback cache each is a
// request.
constexpr blksize_t kBufferSize = 128 * 1024;
constexpr unsigned kMaxName = 255;

spdlog::level::level_enum level_of(Code code) {
  switch (code) {
    case Code::kNotFound:
    case Code::kExists:
    case Code::kNotDirectory:
    case Code::kIsDirectory:
    case Code::kNotEmpty:
    case Code::kStale:
    case Code::kNoData:
    case Code::kUnsupported:
    case Code::kCancelled: return spdlog::level::debug;
    case Code::kInvalid:
    case Code::kReadOnly:
    case Code::kBusy:
    case Code::kNotPermitted:
    case Code::kDenied:
    case Code::kNoSpace:
    case Code::kQuota:
    case Code::kCrossDevice:
    case Code::kTooManyLinks:
    case Code::kNameTooLong:
    case Code::kTooLarge:
    case Code::kConflict:
    case Code::kUnavailable: return spdlog::level::info;
    case Code::kCorrupt:
    case Code::kIo:
    case Code::kInternal: return spdlog::level::err;
  }
  return spdlog::level::err;
}

mode_t type_bits(store::Kind kind) {
  switch (kind) {
    case store::Kind::kFile: return S_IFREG;
    case store::Kind::kDirectory: return S_IFDIR;
    case store::Kind::kSymlink: return S_IFLNK;
    case store::Kind::kFifo: return S_IFIFO;
    case store::Kind::kSocket: return S_IFSOCK;
    case store::Kind::kBlockDevice: return S_IFBLK;
    case store::Kind::kCharacterDevice: return S_IFCHR;
  }
  return S_IFREG;
}

timespec to_timespec(Timestamp time) {
  timespec spec{};
  spec.tv_sec = time.seconds();
  spec.tv_nsec = time.fraction();
  return spec;
}

// What another mount changes is not in the pages of an uncached one, so it has none.
void fill(fuse_file_info& info, SessionContext& context, const OpenReply& opened) {
  if (!context.cached) context.held.opened(opened.handle);
  const bool kept = context.cached || opened.immutable;
  info.fh = opened.handle.value();
  info.direct_io = opened.direct || !kept;
  info.keep_cache = opened.keep_pages && kept;
  info.cache_readdir = opened.keep_names;
  info.noflush = !opened.flush;
}

double seconds(std::chrono::seconds time) { return static_cast<double>(time.count()); }

double validity(const SessionContext& context, const NodeStat& stat) {
  return context.cached || stat.immutable ? seconds(stat.valid) : 0;
}

// Of attributes that come with a name or a change, and of names. They may have been found before a change by another mount, and be
// taken by the kernel after it was told of that; of attributes that it asks for it knows which are the older ones. Source:
// attr_version in fs/fuse/inode.c; fuse_dentry_revalidate() in fs/fuse/dir.c.
bool may_be_overtaken(const SessionContext& context, bool immutable) { return context.vfs->has_uncached() && !immutable; }

double validity_of_others(const SessionContext& context, const NodeStat& stat) {
  return may_be_overtaken(context, stat.immutable) ? 0 : validity(context, stat);
}

}  // namespace

struct stat to_stat(const NodeStat& node) {
  const auto& attributes = node.stat.attributes;
  struct stat out {};
  out.st_ino = node.number.value();
  out.st_mode = type_bits(attributes.kind) | attributes.mode;
  out.st_nlink = node.stat.links;
  out.st_uid = attributes.uid;
  out.st_gid = attributes.gid;
  out.st_rdev = attributes.rdev;
  out.st_size = static_cast<off_t>(node.stat.size);
  out.st_blocks = static_cast<blkcnt_t>((node.stat.size + kBlock - 1) / kBlock);
  out.st_blksize = kBufferSize;
  out.st_mtim = out.st_atim = to_timespec(attributes.mtime);
  out.st_ctim = to_timespec(attributes.ctime);
  return out;
}

fuse_entry_param to_entry(SessionContext& context, const NameReply& name) {
  if (!context.cached && name.node) context.held.looked_up(name.node);
  fuse_entry_param entry{};
  // the kernel made the root by itself, of no generation
  const bool is_root = name.node == context.root;
  entry.ino = is_root ? FUSE_ROOT_ID : name.node.value();
  entry.generation = is_root ? 0 : name.generation;
  entry.attr = to_stat(name.stat);
  entry.attr_timeout = validity_of_others(context, name.stat);
  entry.entry_timeout = context.cached && !may_be_overtaken(context, name.node && name.stat.immutable) ? seconds(name.name_valid) : 0;
  return entry;
}

SessionContext& context_of(fuse_req_t request) { return *static_cast<SessionContext*>(fuse_req_userdata(request)); }

Vfs& vfs_of(fuse_req_t request) { return *context_of(request).vfs; }

NodeId node_of(fuse_req_t request, fuse_ino_t node) { return node == FUSE_ROOT_ID ? context_of(request).root : NodeId(node); }

void released(fuse_req_t request, HandleId handle) {
  SessionContext& context = context_of(request);
  if (!context.cached) context.held.released(handle);
  context.vfs->release(handle);
}

Caller caller_of(fuse_req_t request) {
  const fuse_ctx* context = fuse_req_ctx(request);
  Caller caller{context->uid, context->gid, context->pid, context->umask, !context_of(request).cached, {}};
  caller.groups = [request] {
    std::vector<gid_t> groups(64);
    const int count = fuse_req_getgroups(request, static_cast<int>(groups.size()), groups.data());
    groups.resize(static_cast<std::size_t>(std::clamp(count, 0, static_cast<int>(groups.size()))));
    return groups;
  };
  return caller;
}

void log_bug(const char* operation, const std::exception& e) noexcept {
  spdlog::error("{}: a bug: {}", operation, e.what());
}

Reply::Reply(fuse_req_t request, const char* operation)
    : request_(request), context_(context_of(request)), operation_(operation) {
  if (!context_.cached) context_.held.asked();
}

Reply::~Reply() {
  if (request_) {
    spdlog::error("{}: nobody answered", operation_);
    fuse_reply_err(take(), EIO);
  }
  if (!context_.cached) context_.held.answered();
}

fuse_req_t Reply::take() { return std::exchange(request_, nullptr); }

void Reply::error(const Error& error) {
  spdlog::log(level_of(error.code), "{}: {} ({})", operation_, error.message, name_of(error.code));
  fuse_reply_err(take(), to_errno(error.code));
}

void Reply::ok() { fuse_reply_err(take(), 0); }

void Reply::name(const NameReply& name) {
  if (name.node == kRootNode && context_.root != kRootNode) return error(Error{Code::kStale, "above what this mount shows"});
  const auto entry = to_entry(context_, name);
  // the caller was killed meanwhile: the kernel has not counted this lookup
  if (fuse_reply_entry(take(), &entry) == -ENOENT && name.node) take_back(name.node);
}

void Reply::take_back(NodeId node) {
  if (!context_.cached) context_.held.forgot(node, 1);
  context_.vfs->forget(node, 1);
}

void Reply::take_back(HandleId handle) {
  if (!context_.cached) context_.held.released(handle);
  context_.vfs->release(handle);
}

void Reply::created(const Vfs::Created& created, const fuse_file_info& asked) {
  const auto entry = to_entry(context_, created.name);
  fuse_file_info info = asked;
  fill(info, context_, created.open);
  if (fuse_reply_create(take(), &entry, &info) == -ENOENT) {
    take_back(created.open.handle);
    take_back(created.name.node);
  }
}

void Reply::stat(const NodeStat& stat) {
  const auto attributes = to_stat(stat);
  fuse_reply_attr(take(), &attributes, validity(context_, stat));
}

void Reply::opened(const OpenReply& opened, const fuse_file_info& asked) {
  fuse_file_info info = asked;
  fill(info, context_, opened);
  if (fuse_reply_open(take(), &info) == -ENOENT) take_back(opened.handle);
}

void Reply::changed(const NodeStat& stat) {
  const auto attributes = to_stat(stat);
  fuse_reply_attr(take(), &attributes, validity_of_others(context_, stat));
}

void Reply::link_body(const std::string& body) { fuse_reply_readlink(take(), body.c_str()); }

void Reply::bytes(std::string_view bytes) { fuse_reply_buf(take(), bytes.data(), bytes.size()); }

void Reply::count(std::size_t bytes) { fuse_reply_write(take(), bytes); }

void Reply::place(std::optional<std::uint64_t> offset) {
  if (offset) {
    fuse_reply_lseek(take(), static_cast<off_t>(*offset));
  } else {
    fuse_reply_err(take(), ENXIO);
  }
}

void Reply::space(const store::Store::Space& space) {
  struct statvfs out {};
  out.f_bsize = out.f_frsize = kSpaceUnit;
  out.f_blocks = space.total_bytes / kSpaceUnit;
  out.f_bfree = out.f_bavail = space.free_bytes / kSpaceUnit;
  out.f_namemax = kMaxName;
  fuse_reply_statfs(take(), &out);
}

void Reply::attribute(std::string_view value, std::size_t room) {
  if (room == 0) {
    fuse_reply_xattr(take(), value.size());
  } else if (value.size() > room) {
    fuse_reply_err(take(), ERANGE);
  } else {
    fuse_reply_buf(take(), value.data(), value.size());
  }
}

}  // namespace pfs::fs
