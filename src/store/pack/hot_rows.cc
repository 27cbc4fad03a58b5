#include "store/pack/hot_rows.h"

#include <algorithm>

#include "base/codec.h"

namespace pfs::store {

namespace {

constexpr std::uint8_t kHotVersion = 1;

void add(HotRows::Waiting& waiting, std::uint64_t bytes, Timestamp when) {
  waiting.bytes += bytes;
  waiting.oldest = waiting.oldest ? std::min(*waiting.oldest, when) : when;
}

}  // namespace

Result<HotRows::Row> HotRows::decode(std::string_view value) {
  Decoder in(value);
  const auto version = in.u8();
  Row row;
  row.owner = in.u64();
  row.sequence = in.u64();
  if (!in.ok() || version != kHotVersion) return Error{Code::kCorrupt, "hot row: damaged record"};
  row.bytes = in.raw(in.left());
  return row;
}

std::string HotRows::encode(Owner owner, std::string_view bytes) {
  std::uint64_t sequence = 0;
  {
    Lock lock(mutex_);
    // the clock may be set back: order within one run of the process is what counts
    last_sequence_ = std::max(last_sequence_ + 1, static_cast<std::uint64_t>(clock_.now().nanoseconds));
    sequence = last_sequence_;
  }
  return Encoder().u8(kHotVersion).u64(owner).u64(sequence).raw(bytes).str();
}

HotRows::Waiting HotRows::waiting() const {
  Lock lock(mutex_);
  return waiting_;
}

void HotRows::added(std::uint64_t bytes) {
  const auto now = clock_.now();
  Lock lock(mutex_);
  add(waiting_, bytes, now);
  add(since_count_began_, bytes, now);
}

void HotRows::removed(std::uint64_t bytes) {
  Lock lock(mutex_);
  waiting_.bytes -= std::min(waiting_.bytes, bytes);
}

void HotRows::begin_count() {
  Lock lock(mutex_);
  since_count_began_ = {};
}

void HotRows::end_count(const Waiting& found) {
  Lock lock(mutex_);
  waiting_ = since_count_began_;
  if (found.oldest) add(waiting_, found.bytes, *found.oldest);
}

}  // namespace pfs::store
