#include "trigger/internal/datum_table.h"

#include <set>

#include "base/codec.h"
#include "base/fault.h"
#include "trigger/internal/hash.h"

namespace pfs::trigger {

namespace {

constexpr std::chrono::milliseconds kFlushEvery{100};
constexpr std::size_t kPrefixBytes = 16;
constexpr std::size_t kMostBehindPrefix = JobId::kSize + Digest::kSize + 1;
constexpr std::string_view kRows = "pfs.salt.1";
constexpr std::string_view kMisses = "pfs.misses.1";

std::string prefix_of(std::string_view kind, const RepoName& pipeline, const std::string& salt) {
  Encoder in;
  in.bytes(kind).bytes(pipeline.str()).bytes(salt);
  return std::string(sha256(in.str()).bytes().substr(0, kPrefixBytes));
}

void erase_below(store::LocalBatch& batch, const std::string& prefix) {
  batch.erase_range(store::Family::kDatum, prefix, prefix + std::string(kMostBehindPrefix, '\xff'));
}

}  // namespace

DatumTable::DatumTable(store::LocalDb& local, const Clock& clock, const RepoName& pipeline, const std::string& salt)
    : local_(local),
      clock_(clock),
      prefix_(prefix_of(kRows, pipeline, salt)),
      misses_prefix_(prefix_of(kMisses, pipeline, salt)) {}

Result<std::optional<DatumRecord>> DatumTable::find(const Digest& datum) const {
  PFS_TRY_ASSIGN(const auto row, local_.get(store::Family::kDatum, key(datum)));
  if (!row) return std::optional<DatumRecord>();
  PFS_TRY_ASSIGN(DatumRecord record, decode_datum(*row));
  return std::optional(record);
}

Result<void> DatumTable::put(const Digest& datum, const DatumRecord& record) {
  pending_.put(store::Family::kDatum, key(datum), encode(record));
  return flush_in_time();
}

Result<std::optional<MissRecord>> DatumTable::find_miss(const JobId& job, const Digest& datum) const {
  PFS_TRY_ASSIGN(const auto row, local_.get(store::Family::kDatum, misses_of(job) + std::string(datum.bytes())));
  if (!row) return std::optional<MissRecord>();
  PFS_TRY_ASSIGN(const MissRecord record, decode_miss(*row));
  return std::optional(record);
}

Result<void> DatumTable::put_miss(const JobId& job, const Digest& datum, const MissRecord& record) {
  pending_.put(store::Family::kDatum, misses_of(job) + std::string(datum.bytes()), encode(record));
  return flush_in_time();
}

Result<void> DatumTable::erase_misses(const JobId& job) {
  store::LocalBatch batch;
  erase_below(batch, misses_of(job));
  return local_.write(batch);
}

Result<void> DatumTable::flush_in_time() {
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

Result<void> DatumTable::erase_others(store::LocalDb& local, const std::vector<PipelineRecord>& pipelines) {
  std::set<std::string> known;
  for (const PipelineRecord& pipeline : pipelines) {
    known.insert(prefix_of(kRows, pipeline.name, pipeline.salt));
    known.insert(prefix_of(kMisses, pipeline.name, pipeline.salt));
  }
  store::LocalBatch batch;
  // from one prefix to the next: the rows of one are not read
  const auto rows = local.cursor(store::Family::kDatum, "", std::string(kPrefixBytes + kMostBehindPrefix, '\xff'));
  PFS_TRY_ASSIGN(bool there, rows->seek(""));
  while (there) {
    const std::string prefix(rows->key().substr(0, kPrefixBytes));
    if (!known.contains(prefix)) erase_below(batch, prefix);
    PFS_TRY_ASSIGN(there, rows->seek(prefix + std::string(kMostBehindPrefix, '\xff')));
  }
  return batch.empty() ? Result<void>() : local.write(batch);
}

Result<void> DatumTable::erase_all() {
  store::LocalBatch batch;
  erase_below(batch, prefix_);
  erase_below(batch, misses_prefix_);
  return local_.write(batch);
}

}  // namespace pfs::trigger
