#include "fs/handle_table.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

namespace pfs::fs {

HandleId HandleTable::add(Handle handle) {
  auto shared = std::make_shared<const Handle>(std::move(handle));
  Lock lock(mutex_);
  const HandleId id(next_id_++);
  handles_[id] = std::move(shared);
  return id;
}

Result<HandlePtr> HandleTable::find(HandleId id) const {
  Lock lock(mutex_);
  auto it = handles_.find(id);
  if (it == handles_.end())
    return Error{Code::kStale, fmt::format("handle {}: not open", id.value())};
  return it->second;
}

HandlePtr HandleTable::remove(HandleId id) {
  Lock lock(mutex_);
  auto it = handles_.find(id);
  if (it == handles_.end()) return nullptr;
  HandlePtr handle = std::move(it->second);
  handles_.erase(it);
  return handle;
}

bool HandleTable::is_open(const Inode& inode) const {
  Lock lock(mutex_);
  return std::any_of(handles_.begin(), handles_.end(),
                     [&](const auto& open) { return open.second->inode.get() == &inode; });
}

std::vector<InodePtr> HandleTable::mappable() const {
  std::vector<InodePtr> inodes;
  Lock lock(mutex_);
  for (const auto& [id, handle] : handles_) {
    if (handle->readable && !handle->uncached && handle->writes_content()) inodes.push_back(handle->inode);
  }
  return inodes;
}

}  // namespace pfs::fs
