#pragma once

#define FUSE_USE_VERSION 314
#include <fuse_lowlevel.h>

namespace pfs::fs {

/// Our own reads and writes of /dev/fuse for fuse_session_custom_io(): as libfuse's, but the answer
/// to INIT also takes FUSE_HANDLE_KILLPRIV_V2, which libfuse 3.14 does not know. With it the kernel
/// does not ask for security.capability before every write; clearing set-id bits is ours
/// (Vfs::clear_privileges). Source: linux/fuse.h, struct fuse_init_out.
const fuse_custom_io& device_io();

}  // namespace pfs::fs
