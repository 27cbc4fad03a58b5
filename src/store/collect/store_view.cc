#include "store/collect/store_view.h"

#include "store/pack/dir_blob_store.h"
#include "store/refs/rocks_local_db.h"
#include "store/refs/rocks_ref_db.h"

namespace pfs::store {

std::string view_database(const std::string& directory) { return directory + "/db"; }
std::string view_open_packs(const std::string& directory) { return directory + "/open"; }

Result<std::unique_ptr<StoreView>> StoreView::open(const std::string& store_path, const std::string& directory) {
  std::unique_ptr<StoreView> view(new StoreView);
  PFS_TRY_ASSIGN(view->database_, RocksDatabase::open_read_only(view_database(directory)));
  auto local = std::make_unique<RocksLocalDb>(*view->database_);
  PFS_TRY_ASSIGN(view->refs_, RocksRefDb::open(*view->database_));
  PFS_TRY_ASSIGN(view->blobs_, DirBlobStore::open(store_path + "/packs"));
  PFS_TRY_ASSIGN(view->packs_, PackSet::open_read_only(view_open_packs(directory), *local, *view->blobs_, view->clock_));
  view->objects_ = std::make_unique<Objects>(*local, *view->packs_);
  view->local_ = std::move(local);
  return view;
}

}  // namespace pfs::store
