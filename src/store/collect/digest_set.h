#pragma once

#include <memory>
#include <string>

#include "base/result.h"
#include "store/pack/pack_format.h"

namespace rocksdb {
class DB;
class Iterator;
}  // namespace rocksdb

namespace pfs::store {

/// Objects' names, in a directory of its own on the disk: as many as there are, in bounded memory. Not for one thread alone to
/// write and another to read; it is gone with its directory, and nothing of it is ever synced.
///
/// Source: a RocksDB without a log. Memory: some 24 MiB.
class DigestSet {
 public:
  /// `directory` is made; it must not be there. Errors: kNoSpace, kIo.
  static Result<std::unique_ptr<DigestSet>> make(const std::string& directory);
  ~DigestSet();
  DigestSet(const DigestSet&) = delete;
  DigestSet& operator=(const DigestSet&) = delete;

  Result<void> insert(const ObjectId& id);
  Result<bool> contains(const ObjectId& id) const;
  /// Shape: whether it was not there before.
  Result<bool> add(const ObjectId& id);

  /// Its members in the order of object_key(), each asked for once, in that order.
  class Sorted {
   public:
    explicit Sorted(const DigestSet& set);
    ~Sorted();
    /// Whether the key is in the set; keys must come in rising order.
    Result<bool> has(std::string_view key);

   private:
    std::unique_ptr<rocksdb::Iterator> at_;
  };

 private:
  DigestSet() = default;
  std::unique_ptr<rocksdb::DB> db_;
};

}  // namespace pfs::store
