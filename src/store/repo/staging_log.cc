#include "store/repo/staging_log.h"

#include <fcntl.h>
#include <unistd.h>
#include <xxhash.h>

#include <algorithm>

#include <boost/filesystem.hpp>
#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "base/bug.h"
#include "base/codec.h"
#include "base/fault.h"

namespace pfs::store {

namespace {

constexpr std::string_view kSegmentMagic = "pfsstage";
constexpr std::size_t kSegmentHeaderSize = 64;
constexpr std::uint32_t kRecordMagic = 0x70667372;  // "pfsr"
constexpr std::size_t kRecordHeaderSize = 68;
constexpr std::uint64_t kWorthRolling = 64;  // a segment begun costs a sync of its directory: not for less than this part of one

std::string encode_segment_header(std::uint32_t number) {
  // version 1, cipher 0, domain 0, key id 0, nonce base 0: as a pack's header
  Encoder out;
  out.raw(kSegmentMagic).u8(1).u8(0).u16(0).u32(0).u64(number).u64(0).raw(std::string(24, '\0'));
  out.u64(XXH3_64bits(out.str().data(), out.size()));
  return std::move(out).str();
}

std::string encode_record_fields(const StagingRecord& record) {
  Encoder out;
  out.u32(kRecordMagic).u8(static_cast<std::uint8_t>(record.kind)).u24(0).u32(record.length);
  out.u64(record.file.value()).u64(record.epoch.value()).u64(record.offset).u64(record.size_after);
  out.u64(static_cast<std::uint64_t>(record.mtime.nanoseconds)).u64(record.sequence);
  return std::move(out).str();
}

std::uint64_t record_checksum(std::string_view fields, std::span<const std::byte> bytes) {
  return XXH3_64bits_withSeed(bytes.data(), bytes.size(), XXH3_64bits(fields.data(), fields.size()));
}

}  // namespace

struct StagingLog::Segment {
  Segment(std::uint32_t segment_number, File segment_file) : number(segment_number), file(std::move(segment_file)) {}

  const std::uint32_t number;
  const File file;
  // guarded by StagingLog::mutex_
  std::uint64_t size = 0;
  std::uint64_t claimed = 0;
  bool miscounted = false;  ///< stays until the next start, which counts anew
  std::uint64_t synced_size = 0;
};

Result<std::unique_ptr<StagingLog>> StagingLog::open(const Options& options) {
  std::unique_ptr<StagingLog> log(new StagingLog(options));
  boost::system::error_code error;
  for (const auto* name : {"/log", "/spool"}) {
    boost::filesystem::create_directories(options.directory + name, error);
    if (error) return error_from_errno(error.value(), "make " + options.directory + name);
  }
  PFS_TRY_ASSIGN(log->spools_, Spools::open(options.directory + "/spool"));
  PFS_TRY(log->find_segments());
  return log;
}

Result<void> StagingLog::find_segments() {
  boost::system::error_code error;
  Lock lock(mutex_);
  for (boost::filesystem::directory_iterator it(directory_, error), end; !error && it != end; it.increment(error)) {
    unsigned number = 0;
    if (std::sscanf(it->path().filename().c_str(), "%8x.seg", &number) != 1) continue;
    PFS_TRY_ASSIGN(auto file, File::open(fmt::format("{}/{:08x}.seg", directory_, number), O_RDWR));
    segments_[number] = std::make_shared<Segment>(number, std::move(file));
    next_number_ = std::max(next_number_, number + 1);
  }
  if (error) return error_from_errno(error.value(), "list " + directory_);
  return {};
}

Result<void> StagingLog::replay(const std::function<void(const StagingRecord&)>& visit) {
  std::vector<std::uint32_t> numbers;
  {
    Lock lock(mutex_);
    for (const auto& [number, segment] : segments_) numbers.push_back(segment->number);
  }
  for (const auto number : numbers) PFS_TRY(scan(number, visit));
  return {};
}

StagingLog::~StagingLog() = default;

Result<void> StagingLog::scan(std::uint32_t number, const std::function<void(const StagingRecord&)>& visit) {
  SegmentPtr segment;
  {
    Lock lock(mutex_);
    segment = segments_.at(number);
  }
  const auto& path = segment->file.path();
  PFS_TRY_ASSIGN(const auto size, segment->file.size());
  std::uint64_t last_sequence = 0;
  std::uint64_t at = kSegmentHeaderSize;
  std::string fields(kRecordHeaderSize, '\0');
  std::string bytes;
  while (at + kRecordHeaderSize <= size) {
    PFS_TRY(segment->file.read_exactly(at, std::as_writable_bytes(std::span(fields))));
    Decoder in(fields);
    StagingRecord record;
    const auto magic = in.u32();
    record.kind = static_cast<StagingRecord::Kind>(in.u8());
    in.u24();
    record.length = in.u32();
    record.file = FileId(in.u64());
    record.epoch = Epoch(in.u64());
    record.offset = in.u64();
    record.size_after = in.u64();
    record.mtime.nanoseconds = static_cast<std::int64_t>(in.u64());
    record.sequence = in.u64();
    const auto checksum = in.u64();
    if (magic != kRecordMagic || at + kRecordHeaderSize + record.length > size) break;
    bytes.resize(record.length);
    PFS_TRY(segment->file.read_exactly(at + kRecordHeaderSize, std::as_writable_bytes(std::span(bytes))));
    if (record_checksum(std::string_view(fields).substr(0, kRecordHeaderSize - 8), as_bytes(bytes)) != checksum) break;
    record.at = {number, at + kRecordHeaderSize};
    at += kRecordHeaderSize + record.length;
    last_sequence = record.sequence;
    if (record.kind != StagingRecord::Kind::kMoved) visit(record);
  }
  if (at < size) spdlog::warn("staging segment {}: a torn tail of {} bytes was never acknowledged", path, size - at);
  Lock lock(mutex_);
  segment->size = at;
  next_sequence_ = std::max(next_sequence_, last_sequence + 1);
  return {};
}

Result<void> StagingLog::roll_locked() {
  const auto number = next_number_;
  const std::string path = fmt::format("{}/{:08x}.seg", directory_, number);
  PFS_TRY_ASSIGN(auto file, File::open(path, O_RDWR | O_CREAT | O_EXCL));
  auto segment = std::make_shared<Segment>(number, std::move(file));
  if (auto wrote = segment->file.write_at(0, encode_segment_header(number), {}); !wrote) {
    ::unlink(path.c_str());
    return wrote;
  }
  if (auto synced = sync_directory(directory_); !synced) {
    ::unlink(path.c_str());
    return synced;
  }
  ++next_number_;
  segment->size = kSegmentHeaderSize;
  segments_[number] = segment;
  active_ = std::move(segment);
  const auto usage = log_usage_locked();
  if (usage.bytes > 2 * usage.live + options_.limits.slack_bytes) wants_clearing_ = true;
  return {};
}

Result<void> StagingLog::admit(std::uint64_t bytes) const {
  if (options_.admission == nullptr || bytes == 0) return {};
  return options_.admission->admit(bytes, [this] { return usage().bytes; });
}

bool StagingLog::has_plenty() const { return options_.admission == nullptr || options_.admission->plenty(usage().bytes); }

Result<void> StagingLog::append(StagingRecord& record, std::span<const std::byte> bytes) {
  PFS_FAULT_POINT("store.staging.append");
  Lock lock(mutex_);
  if (!active_ || active_->size + bytes.size() > options_.limits.segment_bytes) PFS_TRY(roll_locked());
  record.length = static_cast<std::uint32_t>(bytes.size());
  record.sequence = next_sequence_;
  std::string header = encode_record_fields(record);
  header = Encoder().raw(header).u64(record_checksum(header, bytes)).str();
  // one record after the other, so that whoever scans the log after a kill meets no hole
  if (auto wrote = active_->file.write_at(active_->size, header, as_text(bytes)); !wrote) {
    // what was written of it is overwritten by the next record, or fails its checksum
    return wrote;
  }
  record.at = {active_->number, active_->size + kRecordHeaderSize};
  active_->size += kRecordHeaderSize + bytes.size();
  active_->claimed += bytes.size();
  ++next_sequence_;
  return {};
}

Result<void> StagingLog::read(const StagedAt& at, std::span<std::byte> out) const {
  if (at.is_in_spool()) {
    PFS_TRY_ASSIGN(const auto spool, spools_->find(at.spool()));
    if (!spool) return Error{Code::kCorrupt, fmt::format("spool {:x}: a file refers to it and it is gone", at.spool())};
    return spool->read(at.offset, out);
  }
  SegmentPtr segment;
  {
    Lock lock(mutex_);
    const auto found = segments_.find(at.segment);
    if (found == segments_.end()) {
      return Error{Code::kCorrupt, fmt::format("staging segment {}: a file refers to it and it is gone", at.segment)};
    }
    segment = found->second;
  }
  return segment->file.read_exactly(at.offset, out);
}

bool StagingLog::has(const StagedAt& at, std::uint64_t bytes) const {
  if (at.is_in_spool()) {
    const auto spool = spools_->find(at.spool());
    return spool && *spool;  // where it is too short it shows zeros, as a file whose blocks were never written
  }
  Lock lock(mutex_);
  const auto found = segments_.find(at.segment);
  return found != segments_.end() && at.offset <= found->second->size && bytes <= found->second->size - at.offset;
}

void StagingLog::note_used(std::uint64_t sequence) {
  Lock lock(mutex_);
  next_sequence_ = std::max(next_sequence_, sequence + 1);
}

Result<void> StagingLog::sync() {
  mutex_.lock();
  const std::uint64_t mine = ++calls_;
  while (served_ < mine && failure_ == nullptr) {
    if (syncing_) {
      synced_.wait(mutex_);
      continue;
    }
    // this caller syncs for everybody who has asked by now; who comes later waits for the next turn
    syncing_ = true;
    const std::uint64_t serves = calls_;
    std::vector<std::pair<SegmentPtr, std::uint64_t>> unsynced;
    for (const auto& [number, segment] : segments_) {
      if (segment->synced_size < segment->size) unsynced.emplace_back(segment, segment->size);
    }
    mutex_.unlock();
    Result<void> outcome;
    for (const auto& [segment, size] : unsynced) {
      if (outcome) outcome = segment->file.sync_data();
    }
    mutex_.lock();
    syncing_ = false;
    if (outcome) {
      for (const auto& [segment, size] : unsynced) segment->synced_size = std::max(segment->synced_size, size);
      served_ = serves;
    } else {
      // not tried again: the kernel may have dropped what it could not write. Source: fsync(2), "Errors"
      failure_ = std::make_unique<const Error>(outcome.error());
    }
    synced_.notify_all();
  }
  const Result<void> result = served_ >= mine ? Result<void>() : Result<void>(*failure_);
  mutex_.unlock();
  return result;
}

void StagingLog::claim(const StagedAt& at, std::uint64_t bytes) {
  {
    Lock lock(mutex_);
    condemned_.erase(at.segment);
  }
  if (at.is_in_spool()) return spools_->claim(at.spool(), bytes);
  Lock lock(mutex_);
  if (const auto found = segments_.find(at.segment); found != segments_.end()) found->second->claimed += bytes;
}

void StagingLog::release(const StagedAt& at, std::uint64_t bytes) {
  if (at.is_in_spool()) {
    spools_->release(at.spool(), bytes);
    const auto usage = spools_->usage();
    if (usage.bytes - usage.live > options_.limits.slack_bytes / 2) wants_clearing_ = true;
    return;
  }
  Lock lock(mutex_);
  const auto found = segments_.find(at.segment);
  if (found == segments_.end()) return;
  Segment& segment = *found->second;
  if (bytes > segment.claimed) {
    segment.miscounted = true;  // somebody's bytes were released twice, so others' may be there that nobody seems to claim
    (void)PFS_BUG(fmt::format("staging segment {}: {} bytes are released, and {} were claimed", at.segment, bytes, segment.claimed));
  }
  segment.claimed -= std::min(bytes, segment.claimed);
}

StagingLog::Pin::Pin(StagingLog& log) : log_(log) {
  Lock lock(log_.mutex_);
  generation_ = log_.generation_;
  ++log_.pins_[generation_];
}

StagingLog::Pin::~Pin() {
  Lock lock(log_.mutex_);
  const auto mine = log_.pins_.find(generation_);
  if (--mine->second == 0) log_.pins_.erase(mine);
}

std::vector<StagedAt> StagingLog::unclaimed() {
  std::vector<StagedAt> places;
  for (const auto number : spools_->unclaimed()) places.push_back(StagedAt::in_spool(number, 0));
  Lock lock(mutex_);
  // the one that is appended to goes too where that frees something; truncations come into another one from now on
  if (active_ && active_->claimed == 0 && active_->size >= options_.limits.segment_bytes / kWorthRolling) active_.reset();
  for (const auto& [number, segment] : segments_) {
    if (segment->claimed == 0 && !segment->miscounted && segment != active_) places.push_back({number, 0});
  }
  return places;
}

void StagingLog::remove(const std::vector<StagedAt>& places) {
  std::vector<SegmentPtr> gone;
  std::vector<std::uint64_t> spools;
  {
    Lock lock(mutex_);
    const std::uint64_t generation = generation_++;
    for (const auto& at : places) {
      // readers that began before it was condemned may be there
      const auto condemned = condemned_.emplace(at.segment, generation).first;
      if (!pins_.empty() && pins_.begin()->first <= condemned->second) continue;
      condemned_.erase(condemned);
      if (at.is_in_spool()) {
        spools.push_back(at.spool());
        continue;
      }
      const auto found = segments_.find(at.segment);
      if (found == segments_.end() || found->second->claimed > 0 || found->second == active_) continue;
      gone.push_back(found->second);
      segments_.erase(found);
    }
  }
  spools_->remove(spools);
  for (const auto& segment : gone) ::unlink(segment->file.path().c_str());
  if (options_.admission != nullptr) options_.admission->ask_again();
}

std::vector<std::uint64_t> StagingLog::sparse_segments() const {
  Lock lock(mutex_);
  std::vector<std::pair<double, const Segment*>> by_live;
  for (const auto& [number, segment] : segments_) {
    if (segment == active_ || segment->claimed == 0) continue;
    by_live.emplace_back(static_cast<double>(segment->claimed) / static_cast<double>(segment->size), segment.get());
  }
  std::sort(by_live.begin(), by_live.end());
  const auto usage = log_usage_locked();
  std::uint64_t staged = usage.bytes;
  std::vector<std::uint64_t> sparse;
  for (const auto& [live, segment] : by_live) {
    constexpr double kSparse = 0.25;
    const bool over = staged > 2 * usage.live + options_.limits.slack_bytes / 2;
    if (live >= kSparse && !over) break;
    sparse.push_back(segment->number);
    staged -= segment->size - std::min(segment->size, segment->claimed);
  }
  return sparse;
}

void StagingLog::cleared() { wants_clearing_ = false; }

StagingLog::Usage StagingLog::log_usage_locked() const {
  Usage usage;
  for (const auto& [number, segment] : segments_) {
    usage.bytes += segment->size;
    usage.live += segment->claimed;
  }
  return usage;
}

StagingLog::Usage StagingLog::usage() const {
  const auto spools = spools_->usage();
  Lock lock(mutex_);
  auto usage = log_usage_locked();
  usage.bytes += spools.bytes;
  usage.live += spools.live;
  return usage;
}

}  // namespace pfs::store
