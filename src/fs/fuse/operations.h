#pragma once

#define FUSE_USE_VERSION 314
#include <fuse_lowlevel.h>

namespace pfs::fs {

/// The handlers of a mount: one short function an operation, in operations_*.cc by family.
const fuse_lowlevel_ops& operations();

// each family fills in its own
void add_name_operations(fuse_lowlevel_ops& ops);
void add_attribute_operations(fuse_lowlevel_ops& ops);
void add_change_operations(fuse_lowlevel_ops& ops);
void add_file_operations(fuse_lowlevel_ops& ops);

}  // namespace pfs::fs
