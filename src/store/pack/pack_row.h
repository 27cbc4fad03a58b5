#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "store/blob_store.h"
#include "store/pack/pack_format.h"

namespace pfs::store {

enum class PackState : std::uint8_t { kOpen = 1, kSealed = 2, kCondemned = 3, kQuarantined = 4 };

/// A pack's row in the family `pack`. Source: docs/format.md "Rows".
struct PackRow {
  PackKind kind = PackKind::kData;
  PackState state = PackState::kOpen;
  std::uint64_t size = 0;  ///< bytes, once it is sealed
  BlobName blob;           ///< once it is sealed
  Timestamp when;          ///< of its state
  bool partial = false;    ///< a collection has taken some of its objects from the index: its footer names more

  std::string encode() const;
  static Result<PackRow> decode(std::string_view value);
};

std::string pack_key(PackNumber number);

/// The row of number 0, which no pack has: the next number, where rows of packs that went might have told it.
std::string encode_next_number(std::uint64_t next);
Result<std::uint64_t> decode_next_number(std::string_view value);

/// The row that says up to which transaction the refs lie in packs, as its number.
std::string encode_snapshot_until(std::uint64_t until);
Result<std::uint64_t> decode_snapshot_until(std::string_view value);

}  // namespace pfs::store
