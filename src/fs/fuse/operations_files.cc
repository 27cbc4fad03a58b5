#include <fcntl.h>
#include <linux/falloc.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstddef>
#include <memory>
#include <span>

#include "base/file.h"
#include "fs/fuse/operations.h"
#include "fs/fuse/reply.h"

namespace pfs::fs {

namespace {

Vfs::OpenMode open_mode(int flags) {
  const int access = flags & O_ACCMODE;
  return {access != O_WRONLY, access != O_RDONLY, (flags & O_TRUNC) != 0};
}

void op_open(fuse_req_t request, fuse_ino_t node, fuse_file_info* info) {
  answer(request, "open", [&](Vfs& vfs, Reply& reply) {
    reply.result(vfs.open(caller_of(request), node_of(request, node), open_mode(info->flags)),
                 [&](const OpenReply& opened) { reply.opened(opened, *info); });
  });
}

void op_create(fuse_req_t request, fuse_ino_t parent, const char* name, mode_t mode,
               fuse_file_info* info) {
  answer(request, "create", [&](Vfs& vfs, Reply& reply) {
    store::MakeRequest made;
    made.mode = mode & 07777U;
    made.exclusive = (info->flags & O_EXCL) != 0;
    reply.result(vfs.create(caller_of(request), node_of(request, parent), name, made, open_mode(info->flags)),
                 [&](const Vfs::Created& created) { reply.created(created, *info); });
  });
}

void op_read(fuse_req_t request, fuse_ino_t, std::size_t size, off_t offset, fuse_file_info* info) {
  answer(request, "read", [&](Vfs& vfs, Reply& reply) {
    const auto buffer = std::make_unique_for_overwrite<std::byte[]>(size);
    reply.result(
        vfs.read(caller_of(request), HandleId(info->fh), static_cast<std::uint64_t>(offset), {buffer.get(), size}),
        [&](std::size_t got) {
          reply.bytes(as_text({buffer.get(), got}));
        });
  });
}

void op_write(fuse_req_t request, fuse_ino_t, const char* bytes, std::size_t size, off_t offset,
              fuse_file_info* info) {
  answer_later(request, "write", [&](Vfs& vfs, std::shared_ptr<Reply> reply) {
    const Vfs::WriteMode mode{(info->flags & O_APPEND) != 0, info->writepage != 0};
    vfs.write(caller_of(request), HandleId(info->fh), static_cast<std::uint64_t>(offset),
              std::as_bytes(std::span(bytes, size)), mode, [reply](const Result<std::size_t>& written) {
                reply->result(written, [&](std::size_t count) { reply->count(count); });
              });
  });
}

void op_copy_file_range(fuse_req_t request, fuse_ino_t, off_t source_offset, fuse_file_info* source,
                        fuse_ino_t, off_t target_offset, fuse_file_info* target, std::size_t length,
                        int) {
  answer(request, "copy_file_range", [&](Vfs& vfs, Reply& reply) {
    reply.result(
        vfs.copy_range(caller_of(request), HandleId(source->fh), static_cast<std::uint64_t>(source_offset),
                       HandleId(target->fh), static_cast<std::uint64_t>(target_offset), length),
        [&](std::size_t copied) { reply.count(copied); });
  });
}

void op_fallocate(fuse_req_t request, fuse_ino_t, int mode, off_t offset, off_t length,
                  fuse_file_info* info) {
  answer(request, "fallocate", [&](Vfs& vfs, Reply& reply) {
    constexpr int kZeroing = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE;
    if ((mode & ~(FALLOC_FL_KEEP_SIZE | kZeroing)) != 0) {
      return reply.error(Error{Code::kUnsupported, "fallocate: ranges are not taken out or put in"});
    }
    const Vfs::AllocateMode asked{(mode & FALLOC_FL_KEEP_SIZE) != 0, (mode & kZeroing) != 0};
    auto allocated = vfs.allocate(caller_of(request), HandleId(info->fh), asked,
                                  static_cast<std::uint64_t>(offset),
                                  static_cast<std::uint64_t>(length));
    allocated ? reply.ok() : reply.error(allocated.error());
  });
}

void op_lseek(fuse_req_t request, fuse_ino_t, off_t offset, int whence, fuse_file_info* info) {
  answer_later(request, "lseek", [&](Vfs& vfs, std::shared_ptr<Reply> reply) {
    if (whence != SEEK_DATA && whence != SEEK_HOLE)
      return reply->error(Error{Code::kInvalid, "lseek: only data and holes are looked for"});
    vfs.seek(HandleId(info->fh), static_cast<std::uint64_t>(offset),
             whence == SEEK_DATA ? store::Seek::kData : store::Seek::kHole,
             [reply](const Result<std::optional<std::uint64_t>>& found) {
               reply->result(found, [&](const auto& place) { reply->place(place); });
             });
  });
}

void op_fsync(fuse_req_t request, fuse_ino_t, int, fuse_file_info* info) {
  answer(request, "fsync", [&](Vfs& vfs, Reply& reply) {
    auto synced = vfs.sync(HandleId(info->fh));
    synced ? reply.ok() : reply.error(synced.error());
  });
}

void op_release(fuse_req_t request, fuse_ino_t, fuse_file_info* info) {
  answer(request, "release", [&](Vfs&, Reply& reply) {
    released(request, HandleId(info->fh));
    reply.ok();
  });
}

}  // namespace

void add_file_operations(fuse_lowlevel_ops& ops) {
  ops.open = op_open;
  ops.create = op_create;
  ops.read = op_read;
  ops.write = op_write;
  ops.copy_file_range = op_copy_file_range;
  ops.fallocate = op_fallocate;
  ops.lseek = op_lseek;
  ops.fsync = op_fsync;
  ops.fsyncdir = op_fsync;
  ops.release = op_release;
}

}  // namespace pfs::fs
