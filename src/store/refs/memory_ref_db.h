#pragma once

#include <map>

#include "base/sync.h"
#include "store/ref_db.h"

namespace pfs::store {

/// Refs in memory, gone with the object: for tests of what stands on a RefDb.
///
/// Thread-safe. The destructor must not run while a call, also a waiting events(), is under way.
class MemoryRefDb final : public RefDb {
 public:
  Result<std::optional<RefValue>> get(std::string_view key) const override PFS_EXCLUDES(mutex_);
  Result<void> scan(std::string_view prefix, std::string_view after,
                    const std::function<bool(std::string_view key, const RefValue&)>& visit) const override
      PFS_EXCLUDES(mutex_);
  Result<Seq> commit(RefTxn txn) override PFS_EXCLUDES(mutex_);
  Result<std::optional<Seq>> was_committed(std::string_view txn_id) const override PFS_EXCLUDES(mutex_);
  Result<std::vector<RefEvent>> events(Seq after, std::size_t limit,
                                       std::chrono::milliseconds wait) const override PFS_EXCLUDES(mutex_);

 private:
  using Rows = std::map<std::string, RefValue, std::less<>>;

  Result<void> check_locked(const RefTxn& txn) const PFS_REQUIRES(mutex_);

  mutable Mutex mutex_{LockRank::kLeaf};
  mutable Condition event_is_there_;
  Rows rows_ PFS_GUARDED_BY(mutex_);
  std::map<std::string, Seq, std::less<>> transactions_ PFS_GUARDED_BY(mutex_);
  std::map<Seq, std::vector<RefEvent>> events_ PFS_GUARDED_BY(mutex_);
  Seq newest_ PFS_GUARDED_BY(mutex_);
};

}  // namespace pfs::store
