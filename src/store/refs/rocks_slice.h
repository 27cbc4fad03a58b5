#pragma once

#include <string_view>

#include <rocksdb/slice.h>

namespace pfs::store {

/// The same bytes as RocksDB takes them.
inline rocksdb::Slice slice(std::string_view bytes) { return {bytes.data(), bytes.size()}; }

}  // namespace pfs::store
