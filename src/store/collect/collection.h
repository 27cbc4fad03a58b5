#pragma once

#include <atomic>
#include <functional>
#include <string>
#include <vector>

#include "store/collect/dead_list.h"
#include "store/local_db.h"
#include "store/pack/objects.h"
#include "store/pack/pack_set.h"
#include "store/store.h"

namespace pfs::store {

class RocksDatabase;
class DeltaTrees;

/// Takes the objects that nothing leads to any more: finds them beside the store, on a checkpoint, and takes those of them that
/// nobody has made use of since. Readers and writers go on. What is left in packs is for a repack.
///
/// It may be killed at any moment: what it has taken by then is gone, the next begins anew. One at a time.
/// Source: docs/architecture.md "Collection".
class Collection {
 public:
  struct Parts {
    std::string store_path;
    RocksDatabase* database = nullptr;
    LocalDb* local = nullptr;
    PackSet* packs = nullptr;
    Objects* objects = nullptr;
    DeltaTrees* trees = nullptr;
  };
  Collection(Parts parts, const CollectOptions& options) : parts_(std::move(parts)), options_(options) {}

  Result<CollectResult> run();

  /// Removes what one that was killed has left.
  static void clear(const std::string& store_path);

 private:
  Result<void> make_view(const std::string& directory);
  Result<void> sweep(const DeadList& list);
  Result<void> take_some(const std::vector<DeadObject>& some);
  Result<void> take(const std::vector<DeadObject>& same_shard);
  bool stopped() const { return options_.stop != nullptr && options_.stop->load(std::memory_order_relaxed); }

  const Parts parts_;
  const CollectOptions options_;
  CollectResult result_;
};

}  // namespace pfs::store
