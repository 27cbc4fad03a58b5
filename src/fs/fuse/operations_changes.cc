#include <linux/fs.h>
#include <sys/stat.h>

#include <optional>

#include "fs/fuse/operations.h"
#include "fs/fuse/reply.h"

namespace pfs::fs {

namespace {

std::optional<store::Kind> kind_of(mode_t mode) {
  switch (mode & S_IFMT) {
    case 0:
    case S_IFREG: return store::Kind::kFile;
    case S_IFIFO: return store::Kind::kFifo;
    case S_IFSOCK: return store::Kind::kSocket;
    case S_IFBLK: return store::Kind::kBlockDevice;
    case S_IFCHR: return store::Kind::kCharacterDevice;
    default: return std::nullopt;
  }
}

void op_mknod(fuse_req_t request, fuse_ino_t parent, const char* name, mode_t mode, dev_t rdev) {
  answer(request, "mknod", [&](Vfs& vfs, Reply& reply) {
    const auto kind = kind_of(mode);
    if (!kind) return reply.error(Error{Code::kInvalid, "mknod of an unknown kind of file"});
    store::MakeRequest made;
    made.kind = *kind;
    made.mode = mode & 07777U;
    made.rdev = rdev;
    reply.result(vfs.make_node(caller_of(request), node_of(request, parent), name, made),
                 [&](const NameReply& entry) { reply.name(entry); });
  });
}

void op_mkdir(fuse_req_t request, fuse_ino_t parent, const char* name, mode_t mode) {
  answer_later(request, "mkdir", [&](Vfs& vfs, std::shared_ptr<Reply> reply) {
    vfs.make_directory(caller_of(request), node_of(request, parent), name, mode & 07777U,
                       [reply](const Result<NameReply>& made) {
                         reply->result(made, [&](const NameReply& entry) { reply->name(entry); });
                       });
  });
}

void op_symlink(fuse_req_t request, const char* body, fuse_ino_t parent, const char* name) {
  answer_later(request, "symlink", [&](Vfs& vfs, std::shared_ptr<Reply> reply) {
    vfs.make_symlink(caller_of(request), node_of(request, parent), name, body,
                     [reply](const Result<NameReply>& made) {
                       reply->result(made, [&](const NameReply& entry) { reply->name(entry); });
                     });
  });
}

void op_unlink(fuse_req_t request, fuse_ino_t parent, const char* name) {
  answer(request, "unlink", [&](Vfs& vfs, Reply& reply) {
    auto removed = vfs.remove_file(caller_of(request), node_of(request, parent), name);
    removed ? reply.ok() : reply.error(removed.error());
  });
}

void op_rmdir(fuse_req_t request, fuse_ino_t parent, const char* name) {
  answer_later(request, "rmdir", [&](Vfs& vfs, const std::shared_ptr<Reply>& reply) {
    vfs.remove_directory(caller_of(request), node_of(request, parent), name, [reply](Result<void> removed) {
      removed ? reply->ok() : reply->error(removed.error());
    });
  });
}

// Nothing for what the kernel may ask for and we do not know (RENAME_WHITEOUT).
std::optional<store::RenameMode> rename_mode_of(unsigned flags) {
  if (flags == 0) return store::RenameMode::kReplace;
  if (flags == RENAME_NOREPLACE) return store::RenameMode::kNoReplace;
  if (flags == RENAME_EXCHANGE) return store::RenameMode::kExchange;
  return std::nullopt;
}

void op_rename(fuse_req_t request, fuse_ino_t parent, const char* name, fuse_ino_t new_parent,
               const char* new_name, unsigned flags) {
  answer_later(request, "rename", [&](Vfs& vfs, const std::shared_ptr<Reply>& reply) {
    const auto mode = rename_mode_of(flags);
    if (!mode) return reply->error(Error{Code::kInvalid, "rename: unknown flags"});
    vfs.rename(
        caller_of(request), node_of(request, parent), name, node_of(request, new_parent), new_name, *mode,
        [reply](Result<void> renamed) { renamed ? reply->ok() : reply->error(renamed.error()); });
  });
}

void op_link(fuse_req_t request, fuse_ino_t node, fuse_ino_t parent, const char* name) {
  answer(request, "link", [&](Vfs& vfs, Reply& reply) {
    reply.result(vfs.link(caller_of(request), node_of(request, node), node_of(request, parent), name),
                 [&](const NameReply& entry) { reply.name(entry); });
  });
}

}  // namespace

void add_change_operations(fuse_lowlevel_ops& ops) {
  ops.mknod = op_mknod;
  ops.mkdir = op_mkdir;
  ops.symlink = op_symlink;
  ops.unlink = op_unlink;
  ops.rmdir = op_rmdir;
  ops.rename = op_rename;
  ops.link = op_link;
}

}  // namespace pfs::fs
