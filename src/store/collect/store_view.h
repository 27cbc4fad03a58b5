#pragma once

#include <memory>
#include <string>

#include "base/clock.h"
#include "store/pack/objects.h"
#include "store/ref_db.h"
#include "store/refs/rocks_db.h"
#include "store/tree/content_list.h"
#include "store/tree/tree_store.h"

namespace pfs::store {

/// A store as it was at one moment, for reading, beside the process that has it open. Made of a checkpoint of its database; packs are
/// the store's own, so none of them may be removed meanwhile.
///
/// Thread-safe. Memory: caches of some 40 MiB when they are full.
class StoreView {
 public:
  /// `directory` was made by Store::make_view(). Errors: kCorrupt, kIo.
  static Result<std::unique_ptr<StoreView>> open(const std::string& store_path, const std::string& directory);

  const RefDb& refs() const { return *refs_; }
  const LocalDb& local() const { return *local_; }
  const Objects& objects() const { return *objects_; }
  const PackSet& packs() const { return *packs_; }

 private:
  StoreView() = default;

  SystemClock clock_;
  std::unique_ptr<RocksDatabase> database_;
  std::unique_ptr<LocalDb> local_;
  std::unique_ptr<RefDb> refs_;
  std::unique_ptr<BlobStore> blobs_;
  std::unique_ptr<PackSet> packs_;
  std::unique_ptr<Objects> objects_;
};

/// Where in a view's directory what lies.
std::string view_database(const std::string& directory);
std::string view_open_packs(const std::string& directory);

}  // namespace pfs::store
