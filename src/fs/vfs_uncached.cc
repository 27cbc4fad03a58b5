#include <algorithm>

#include <spdlog/spdlog.h>

#include "fs/vfs.h"

// Only one mount has its kernel caches kept in step. Requests by another one are to it as changes behind its back.

namespace pfs::fs {

namespace {

constexpr std::chrono::milliseconds kTimeout{1000};
constexpr int kMostChanges = 8;

}  // namespace

void Vfs::forget_name(const Caller& caller, NodeId directory, std::string_view name, KernelCaches::Forget what) {
  if (!caller.uncached) return;
  caches_.drop_attributes(directory);
  caches_.drop_listing(directory);
  caches_.drop_name_now(directory, std::string(name), what, kTimeout);
}

void Vfs::forget_attributes(const Caller& caller, NodeId node) {
  if (caller.uncached) caches_.drop_attributes(node);
}

void Vfs::forget_attributes(const Caller& caller, const store::NodePtr& node) {
  if (caller.uncached && node) attributes_changed(node);
}

store::NodePtr Vfs::node_at(const Caller& caller, const Stored& directory, std::string_view name) const {
  return caller.uncached ? trees_.lookup(directory.node, name).value_or(nullptr) : nullptr;
}

ContendedFiles::Drop Vfs::drop_of(NodeId file) {
  return [this, file](std::uint64_t offset, std::uint64_t length, std::function<void()> gone) {
    caches_.drop_range(file, offset, length, std::move(gone));
  };
}

void Vfs::drop_pages(NodeId file, std::uint64_t offset, std::uint64_t length) {
  contended_files_.changed(file, offset, length, drop_of(file));
}

void Vfs::kernel_drops_pages(const Caller& caller, const Inode& file) {
  if (!caller.uncached) contended_files_.dropped(file.id);
}

Result<void> Vfs::change_content(const Caller& caller, const Inode& file, std::uint64_t offset, std::uint64_t length,
                                 const std::function<Result<void>()>& change) {
  if (!caller.uncached) return change();
  write_back_before(caller, file);
  ChangesUnderWay::Change under_way(changes_under_way_, file.id, offset, length);
  for (int i = 0; i < kMostChanges; ++i) {
    PFS_TRY(change());
    caches_.drop_attributes(file.id);
    drop_pages(file.id, offset, length);
    if (!under_way.was_overwritten()) return {};
  }
  spdlog::warn("{}: written by a shared mapping and another mount at once, again and again", where(file));
  return {};
}

void Vfs::correct_pages(const Caller& caller, NodeId file, std::uint64_t offset, std::uint64_t length) {
  if (caller.uncached) return;
  contended_files_.written(file, offset, length, drop_of(file));
}

void Vfs::write_back_before(const Caller& caller, const Inode& file) {
  if (!caller.uncached) return;
  const auto mappable = handles_.mappable();
  const auto found = std::find_if(mappable.begin(), mappable.end(), [&](const InodePtr& inode) { return inode->id == file.id; });
  if (found != mappable.end()) contended_files_.write_back(file.id, drop_of(file.id));
}

}  // namespace pfs::fs
