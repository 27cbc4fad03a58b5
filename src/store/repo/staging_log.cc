#include "store/repo/staging_log.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>

#include <boost/filesystem.hpp>
#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "base/bug.h"
#include "base/fault.h"

namespace pfs::store {

namespace {

constexpr std::uint64_t kWorthRolling = 64;  // a segment begun costs a sync of its directory: not for less than this part of one

}  // namespace

struct StagingLog::Segment {
  Segment(std::uint32_t segment_number, File segment_file) : number(segment_number), file(std::move(segment_file)) {}

  /// What lies somewhere in the segment.
  struct Found {
    StagingRecord record;
    std::uint64_t length = 0;  ///< header and bytes; 0: no record's header
    bool proved = false;       ///< by its checksum
  };
  Result<Found> record_at(std::uint64_t offset, std::uint64_t end) const;

  const std::uint32_t number;
  const File file;
  // guarded by StagingLog::mutex_
  std::uint64_t size = 0;
  std::uint64_t claimed = 0;
  std::vector<std::pair<std::uint64_t, std::uint64_t>> damaged;  ///< bytes of records that failed their checksum: from, to
  std::uint64_t condemned = 0;  ///< the generation in which nobody claimed a byte any more; 0: not seen yet
  bool miscounted = false;  ///< stays until the next start, which counts anew
  std::uint64_t synced_size = 0;
};

Result<StagingLog::Segment::Found> StagingLog::Segment::record_at(std::uint64_t offset, std::uint64_t end) const {
  Found found;
  if (offset + kRecordHeaderSize > end) return found;
  std::string fields(kRecordHeaderSize, '\0');
  PFS_TRY(file.read_exactly(offset, std::as_writable_bytes(std::span(fields))));
  const auto decoded = decode_record_header(fields);
  if (!decoded || decoded->record.length > end - offset - kRecordHeaderSize) return found;
  std::string bytes(decoded->record.length, '\0');
  PFS_TRY(file.read_exactly(offset + kRecordHeaderSize, std::as_writable_bytes(std::span(bytes))));
  found.record = decoded->record;
  found.length = kRecordHeaderSize + bytes.size();
  found.proved = proves(fields, decoded->checksum, as_bytes(bytes));
  return found;
}

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
    // What an earlier process could not sync may look good in the kernel's cache, and nowhere else: it is clean there, and dropped.
    ::posix_fadvise(file.fd(), 0, 0, POSIX_FADV_DONTNEED);
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
  if (size > kSegmentHeaderSize) {
    std::string header(kSegmentHeaderSize, '\0');
    PFS_TRY(segment->file.read_exactly(0, std::as_writable_bytes(std::span(header))));
    if (const auto checked = check_segment_header(header, number); !checked) {
      if (checked.error().code == Code::kUnsupported) return checked;
      // after a power cut it may not have reached the disk; what follows it is proved record by record
      spdlog::warn("{}: {}", path, checked.error().message);
    }
  }
  std::uint64_t last_sequence = 0;
  std::uint64_t at = kSegmentHeaderSize;
  decltype(Segment::damaged) damaged;
  while (true) {
    PFS_TRY_ASSIGN(auto found, segment->record_at(at, size));
    if (found.length == 0) break;
    if (!found.proved) {
      // a torn tail has nothing behind it; else only the bytes of this record are lost
      PFS_TRY_ASSIGN(const auto next, segment->record_at(at + found.length, size));
      if (!next.proved) break;
      spdlog::error("staging segment {}: the record at {} is damaged; its {} bytes are left out", path, at, found.record.length);
      damaged.emplace_back(at + kRecordHeaderSize, at + found.length);
    } else {
      found.record.at = {number, at + kRecordHeaderSize};
      last_sequence = found.record.sequence;
      if (found.record.kind != StagingRecord::Kind::kMoved) visit(found.record);
    }
    at += found.length;
  }
  if (at < size) spdlog::warn("staging segment {}: a torn tail of {} bytes was never acknowledged", path, size - at);
  Lock lock(mutex_);
  segment->size = at;
  segment->damaged = std::move(damaged);
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
  const std::string header = encode_record_header(record, bytes);
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
  if (found == segments_.end() || at.offset > found->second->size || bytes > found->second->size - at.offset) return false;
  return std::none_of(found->second->damaged.begin(), found->second->damaged.end(),
                      [&](const auto& range) { return range.first < at.offset + bytes && at.offset < range.second; });
}

void StagingLog::note_used(std::uint64_t sequence) {
  Lock lock(mutex_);
  next_sequence_ = std::max(next_sequence_, sequence + 1);
}

Result<void> StagingLog::sync() {
  return sync_.run([this]() -> Result<void> {
    std::vector<std::pair<SegmentPtr, std::uint64_t>> unsynced;
    {
      Lock lock(mutex_);
      for (const auto& [number, segment] : segments_) {
        if (segment->synced_size < segment->size) unsynced.emplace_back(segment, segment->size);
      }
    }
    PFS_TRY(fault_point("store.staging.sync"));
    for (const auto& [segment, size] : unsynced) PFS_TRY(segment->file.sync_data());
    Lock lock(mutex_);
    for (const auto& [segment, size] : unsynced) segment->synced_size = std::max(segment->synced_size, size);
    return {};
  });
}

void StagingLog::claim(const StagedAt& at, std::uint64_t bytes) {
  if (at.is_in_spool()) return spools_->claim(at.spool(), bytes);
  Lock lock(mutex_);
  const auto found = segments_.find(at.segment);
  if (found == segments_.end()) return;
  found->second->claimed += bytes;
  found->second->condemned = 0;
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
  std::uint64_t generation = 0;
  std::uint64_t oldest_reader = 0;
  {
    Lock lock(mutex_);
    generation = generation_++;
    oldest_reader = pins_.empty() ? generation_ : pins_.begin()->first;
    for (const auto& at : places) {
      if (at.is_in_spool()) {
        spools.push_back(at.spool());
        continue;
      }
      const auto found = segments_.find(at.segment);
      if (found == segments_.end() || found->second->claimed > 0 || found->second == active_) continue;
      auto& condemned = found->second->condemned;
      if (condemned == 0) condemned = generation;
      if (oldest_reader <= condemned) continue;  // it may still read it
      gone.push_back(found->second);
      segments_.erase(found);
    }
  }
  spools_->remove(spools, generation, oldest_reader);
  for (const auto& segment : gone) ::unlink(segment->file.path().c_str());
  if (options_.admission != nullptr) options_.admission->ask_again();
}

std::vector<std::uint64_t> StagingLog::sparse_segments() const {
  Lock lock(mutex_);
  std::vector<std::pair<double, const Segment*>> by_live;
  std::uint64_t dead = 0;
  for (const auto& [number, segment] : segments_) {
    if (segment->claimed == 0) dead += segment->size;  // goes as soon as nobody reads it
    if (segment == active_ || segment->claimed == 0) continue;
    by_live.emplace_back(static_cast<double>(segment->claimed) / static_cast<double>(segment->size), segment.get());
  }
  std::sort(by_live.begin(), by_live.end());
  const auto usage = log_usage_locked();
  std::uint64_t staged = usage.bytes - dead;
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
