#include "fs/fuse/held_nodes.h"

#include <utility>

#include "fs/vfs.h"

namespace pfs::fs {

void HeldNodes::looked_up(NodeId node) {
  Lock lock(mutex_);
  ++lookups_[node];
}

void HeldNodes::forgot(NodeId node, std::uint64_t count) {
  Lock lock(mutex_);
  const auto it = lookups_.find(node);
  if (it == lookups_.end()) return;
  if (it->second <= count) {
    lookups_.erase(it);
  } else {
    it->second -= count;
  }
}

void HeldNodes::opened(HandleId handle) {
  Lock lock(mutex_);
  handles_.insert(handle);
}

void HeldNodes::released(HandleId handle) {
  Lock lock(mutex_);
  handles_.erase(handle);
}

void HeldNodes::asked() {
  Lock lock(mutex_);
  ++asked_;
}

void HeldNodes::answered() {
  Lock lock(mutex_);
  --asked_;
  answered_.notify_all();  // under the lock: who waits takes us away
}

void HeldNodes::wait_until_answered() {
  Lock lock(mutex_);
  while (asked_ > 0) answered_.wait(mutex_);
}

void HeldNodes::give_back(Vfs& vfs) {
  std::unordered_map<NodeId, std::uint64_t> lookups;
  std::unordered_set<HandleId> handles;
  {
    Lock lock(mutex_);
    lookups.swap(lookups_);
    handles.swap(handles_);
  }
  for (const HandleId handle : handles) vfs.release(handle);
  for (const auto& [node, count] : lookups) vfs.forget(node, count);
}

}  // namespace pfs::fs
