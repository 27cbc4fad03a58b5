#include <sys/stat.h>
#include <sys/xattr.h>

#include <optional>
#include <string>
#include <vector>

#include "fs/fuse/operations.h"
#include "fs/fuse/reply.h"

namespace pfs::fs {

namespace {

std::optional<HandleId> handle_of(const fuse_file_info* info) {
  if (!info) return std::nullopt;
  return HandleId(info->fh);
}

Timestamp to_timestamp(const timespec& time) {
  return Timestamp{std::int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec};
}

// Access times are not kept, and change times are the store's.
store::AttributeChange to_change(const struct stat& attributes, int which, Timestamp now) {
  store::AttributeChange change;
  if ((which & FUSE_SET_ATTR_MODE) != 0) change.mode = attributes.st_mode & 07777U;
  if ((which & FUSE_SET_ATTR_UID) != 0) change.uid = attributes.st_uid;
  if ((which & FUSE_SET_ATTR_GID) != 0) change.gid = attributes.st_gid;
  if ((which & FUSE_SET_ATTR_SIZE) != 0)
    change.size = static_cast<std::uint64_t>(attributes.st_size);
  if ((which & FUSE_SET_ATTR_MTIME_NOW) != 0) {
    change.mtime = now;
  } else if ((which & FUSE_SET_ATTR_MTIME) != 0) {
    change.mtime = to_timestamp(attributes.st_mtim);
  }
  return change;
}

void op_getattr(fuse_req_t request, fuse_ino_t node, fuse_file_info* info) {
  answer_later(request, "getattr", [&](Vfs& vfs, std::shared_ptr<Reply> reply) {
    vfs.stat(node_of(request, node), handle_of(info), [reply](const Result<NodeStat>& found) {
      reply->result(found, [&](const NodeStat& stat) { reply->stat(stat); });
    });
  });
}

void op_setattr(fuse_req_t request, fuse_ino_t node, struct stat* attributes, int which,
                fuse_file_info* info) {
  answer(request, "setattr", [&](Vfs& vfs, Reply& reply) {
    reply.result(vfs.set_attributes(caller_of(request), node_of(request, node), handle_of(info),
                                    to_change(*attributes, which, vfs.now())),
                 [&](const NodeStat& stat) { reply.changed(stat); });
  });
}

void op_statfs(fuse_req_t request, fuse_ino_t) {
  answer(request, "statfs", [&](Vfs& vfs, Reply& reply) {
    reply.result(vfs.space(), [&](const store::Store::Space& space) { reply.space(space); });
  });
}

void op_getxattr(fuse_req_t request, fuse_ino_t node, const char* name, std::size_t size) {
  answer(request, "getxattr", [&](Vfs& vfs, Reply& reply) {
    reply.result(vfs.xattr(node_of(request, node), name),
                 [&](const std::string& value) { reply.attribute(value, size); });
  });
}

void op_listxattr(fuse_req_t request, fuse_ino_t node, std::size_t size) {
  answer(request, "listxattr", [&](Vfs& vfs, Reply& reply) {
    reply.result(vfs.xattr_names(node_of(request, node)), [&](const std::vector<std::string>& names) {
      std::string list;
      for (const auto& name : names) list.append(name).push_back('\0');
      reply.attribute(list, size);
    });
  });
}

void op_setxattr(fuse_req_t request, fuse_ino_t node, const char* name, const char* value,
                 std::size_t size, int flags) {
  answer(request, "setxattr", [&](Vfs& vfs, Reply& reply) {
    const XattrMode mode = (flags & XATTR_CREATE) != 0    ? XattrMode::kCreate
                           : (flags & XATTR_REPLACE) != 0 ? XattrMode::kReplace
                                                          : XattrMode::kSet;
    auto set = vfs.set_xattr(caller_of(request), node_of(request, node), name, std::string(value, size), mode);
    set ? reply.ok() : reply.error(set.error());
  });
}

void op_removexattr(fuse_req_t request, fuse_ino_t node, const char* name) {
  answer(request, "removexattr", [&](Vfs& vfs, Reply& reply) {
    auto removed = vfs.remove_xattr(caller_of(request), node_of(request, node), name);
    removed ? reply.ok() : reply.error(removed.error());
  });
}

}  // namespace

void add_attribute_operations(fuse_lowlevel_ops& ops) {
  ops.getattr = op_getattr;
  ops.setattr = op_setattr;
  ops.statfs = op_statfs;
  ops.getxattr = op_getxattr;
  ops.listxattr = op_listxattr;
  ops.setxattr = op_setxattr;
  ops.removexattr = op_removexattr;
}

}  // namespace pfs::fs
