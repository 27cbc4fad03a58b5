#pragma once

#include <memory>
#include <stdexcept>

#include <boost/filesystem.hpp>

#include "base/clock.h"
#include "store/pack/dir_blob_store.h"
#include "store/pack/object_writer.h"
#include "store/refs/rocks_db.h"
#include "store/refs/rocks_local_db.h"
#include "store/tree/tree_store.h"
#include "support/temporary_directory.h"

namespace pfs::test {

/// Objects, packs and trees on a directory of a test's own, without refs or open commits above them.
class ObjectStore {
 public:
  ObjectStore() {
    boost::filesystem::create_directories(directory_ / "open");
    database_ = take(store::RocksDatabase::open(directory_ / "db"));
    local_ = std::make_unique<store::RocksLocalDb>(*database_);
    blobs_ = take(store::DirBlobStore::open(directory_ / "packs"));
    open_packs();
  }

  /// Closes the packs and opens them again, as a restart does.
  void open_packs() {
    trees_.reset();
    objects_.reset();
    packs_.reset();
    packs_ = take(store::PackSet::open(directory_ / "open", *local_, *blobs_, clock_));
    objects_ = std::make_unique<store::Objects>(*local_, *packs_);
    trees_ = std::make_unique<store::TreeStore>(*objects_);
  }

  store::Objects& objects() { return *objects_; }
  store::TreeStore& trees() { return *trees_; }
  store::LocalDb& local() { return *local_; }
  store::PackSet& packs() { return *packs_; }
  const Clock& clock() const { return clock_; }
  const TemporaryDirectory& directory() const { return directory_; }

 private:
  template <class T>
  static std::unique_ptr<T> take(Result<std::unique_ptr<T>> opened) {
    if (!opened) throw std::runtime_error(opened.error().message);
    return std::move(*opened);
  }

  TemporaryDirectory directory_;
  SystemClock clock_;
  std::unique_ptr<store::RocksDatabase> database_;
  std::unique_ptr<store::RocksLocalDb> local_;
  std::unique_ptr<store::DirBlobStore> blobs_;
  std::unique_ptr<store::PackSet> packs_;
  std::unique_ptr<store::Objects> objects_;
  std::unique_ptr<store::TreeStore> trees_;
};

}  // namespace pfs::test
