#include "fs/fuse/operations.h"

#include <algorithm>

#include <spdlog/spdlog.h>

#include "fs/fuse/session_context.h"

namespace pfs::fs {

namespace {

constexpr unsigned kMaxRequest = 1024 * 1024;
constexpr unsigned kMaxBackground = 64;

// What is not wanted, and why: a writeback cache, because the kernel would own sizes and times; its
// own guess when cached pages are old, because a node's bytes never change without it; locks,
// because the kernel's are exact on one mount; symlink caching, because HEAD pointers move; the
// first version of set-id clearing, because device_io.h takes the second. The umask comes with the
// request, because a new branch is made without it.
void op_init(void* userdata, fuse_conn_info* connection) {
  constexpr unsigned kNamesWithAttributes = FUSE_CAP_READDIRPLUS | FUSE_CAP_READDIRPLUS_AUTO;
  unsigned unwanted = FUSE_CAP_WRITEBACK_CACHE | FUSE_CAP_AUTO_INVAL_DATA |
                            FUSE_CAP_POSIX_LOCKS | FUSE_CAP_FLOCK_LOCKS | FUSE_CAP_CACHE_SYMLINKS |
                            FUSE_CAP_HANDLE_KILLPRIV;
  unsigned wanted = FUSE_CAP_ASYNC_READ | FUSE_CAP_ATOMIC_O_TRUNC | FUSE_CAP_PARALLEL_DIROPS |
                    FUSE_CAP_EXPLICIT_INVAL_DATA | FUSE_CAP_DONT_MASK | FUSE_CAP_EXPORT_SUPPORT;
  // a kernel that keeps none asks for them again
  (static_cast<const SessionContext*>(userdata)->cached ? wanted : unwanted) |= kNamesWithAttributes;
  connection->want &= ~unwanted;
  connection->want |= wanted & connection->capable;
  connection->max_write = kMaxRequest;
  connection->max_background = kMaxBackground;
  connection->congestion_threshold = kMaxBackground * 3 / 4;
  spdlog::debug("kernel speaks FUSE {}.{}", connection->proto_major, connection->proto_minor);
}

fuse_lowlevel_ops all_operations() {
  fuse_lowlevel_ops ops{};
  ops.init = op_init;
  add_name_operations(ops);
  add_attribute_operations(ops);
  add_change_operations(ops);
  add_file_operations(ops);
  // flush stays away: every write was answered by the store before close(2) is called, and without
  // a handler the kernel writes shared mappings out at close and does not ask
  return ops;
}

}  // namespace

const fuse_lowlevel_ops& operations() {
  static const fuse_lowlevel_ops ops = all_operations();
  return ops;
}

}  // namespace pfs::fs
