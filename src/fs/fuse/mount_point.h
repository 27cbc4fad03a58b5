#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"

namespace pfs::fs {

/// Whether this process can mount at all, and `path` is a directory to mount on or a mount, which
/// prepare_mount_point() tells apart. Changes nothing, so that it can be asked before a store is
/// made. Errors, each saying what to do: kNotFound, kNotDirectory, kUnsupported (no /dev/fuse, no
/// fusermount3), kDenied.
Result<void> check_can_mount(const std::string& path);

/// `path` from the root on, without symlinks; what is mounted there may be dead. Errors: kNotFound.
Result<std::string> absolute_mount_point(const std::string& path);

/// What a mount of a store is called, `pfs#` and its id; of a part a colon and more.
std::string source_of_store(const std::string& store_id);

/// Prepares `path` to be mounted on: absolute, an empty directory, not in use. A dead mount of the
/// same store (its daemon was killed), which `source` says, is taken away; the caller holds the store's lock, so nobody
/// else serves it any more; what it serves itself are the connections `live`. Shape: returns the absolute path. Errors, each saying what to do: those of
/// check_can_mount(), kBusy (something else is mounted there), kNotEmpty (what is in it would be
/// hidden).
Result<std::string> prepare_mount_point(const std::string& path, const std::string& source,
                                        const std::vector<std::uint32_t>& live = {});

/// Takes the mount at `path` away; processes that are inside keep it until they leave.
Result<void> detach_mount(const std::string& path);

/// The number of the mount below /sys/fs/fuse/connections. Source: the minor device number in
/// proc(5), mountinfo.
Result<std::uint32_t> connection_of_mount(const std::string& path);

/// Whether this user's mounts can be entered by others: root's always, else with user_allow_other
/// in /etc/fuse.conf.
bool others_may_enter();
/// Errors: kDenied (they may not; says how to mend it).
Result<void> check_others_may_enter();

}  // namespace pfs::fs
