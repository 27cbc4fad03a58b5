#include "trigger/internal/datum_table.h"

#include "base/codec.h"
#include "base/fault.h"
#include "trigger/internal/hash.h"

namespace pfs::trigger {

namespace {

constexpr std::chrono::milliseconds kFlushEvery{100};
constexpr std::size_t kPrefixBytes = 16;

}  // namespace

DatumTable::DatumTable(store::LocalDb& local, const Clock& clock, const RepoName& pipeline, const std::string& salt)
    : local_(local), clock_(clock) {
  Encoder in;
  in.bytes("pfs.salt.1").bytes(pipeline.str()).bytes(salt);
  prefix_ = sha256(in.str()).bytes().substr(0, kPrefixBytes);
}

Result<std::optional<DatumRecord>> DatumTable::find(const Digest& datum) const {
  PFS_TRY_ASSIGN(const auto row, local_.get(store::Family::kDatum, key(datum)));
  if (!row) return std::optional<DatumRecord>();
  PFS_TRY_ASSIGN(DatumRecord record, decode_datum(*row));
  return std::optional(std::move(record));
}

Result<void> DatumTable::put(const Digest& datum, const DatumRecord& record) {
  pending_.put(store::Family::kDatum, key(datum), encode(record));
  return clock_.steady() - flushed_ < kFlushEvery ? Result<void>() : flush();
}

Result<void> DatumTable::flush() {
  if (pending_.empty()) return {};
  PFS_TRY(local_.sync());
  PFS_FAULT_POINT("trigger.datums.flush");
  PFS_TRY(local_.write(pending_));
  pending_ = {};
  flushed_ = clock_.steady();
  return {};
}

Result<void> DatumTable::erase_all() {
  store::LocalBatch batch;
  batch.erase_range(store::Family::kDatum, prefix_, prefix_ + std::string(Digest::kSize + 1, '\xff'));
  return local_.write(batch);
}

}  // namespace pfs::trigger
