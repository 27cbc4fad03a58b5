#include "store/repo/staging_log.h"

#include <fcntl.h>
#include <unistd.h>
#include <xxhash.h>

#include <boost/filesystem.hpp>
#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "base/codec.h"
#include "base/fault.h"

namespace pfs::store {

namespace {

constexpr std::string_view kSegmentMagic = "pfsstage";
constexpr std::size_t kSegmentHeaderSize = 64;
constexpr std::uint32_t kRecordMagic = 0x70667372;  // "pfsr"
constexpr std::size_t kRecordHeaderSize = 68;

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
  std::uint64_t synced_size = 0;
};

Result<std::unique_ptr<StagingLog>> StagingLog::open(const std::string& directory,
                                                     const std::function<void(const StagingRecord&)>& replay) {
  std::unique_ptr<StagingLog> log(new StagingLog(directory));
  std::vector<std::uint32_t> numbers;
  boost::system::error_code error;
  for (boost::filesystem::directory_iterator it(directory, error), end; !error && it != end; it.increment(error)) {
    unsigned number = 0;
    if (std::sscanf(it->path().filename().c_str(), "%8x.seg", &number) == 1) numbers.push_back(number);
  }
  if (error) return error_from_errno(error.value(), "list " + directory);
  std::sort(numbers.begin(), numbers.end());
  for (const auto number : numbers) PFS_TRY(log->scan(number, replay));
  return log;
}

StagingLog::~StagingLog() = default;

Result<void> StagingLog::scan(std::uint32_t number, const std::function<void(const StagingRecord&)>& replay) {
  const std::string path = fmt::format("{}/{:08x}.seg", directory_, number);
  PFS_TRY_ASSIGN(auto file, File::open(path, O_RDWR));
  PFS_TRY_ASSIGN(const auto size, file.size());
  auto segment = std::make_shared<Segment>(number, std::move(file));
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
    replay(record);
  }
  if (at < size) spdlog::warn("staging segment {}: a torn tail of {} bytes was never acknowledged", path, size - at);
  segment->size = at;
  Lock lock(mutex_);
  next_number_ = std::max(next_number_, number + 1);
  next_sequence_ = std::max(next_sequence_, last_sequence + 1);
  segments_[number] = std::move(segment);
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
  PFS_TRY(sync_directory(directory_));
  ++next_number_;
  segment->size = kSegmentHeaderSize;
  segments_[number] = segment;
  active_ = std::move(segment);
  return {};
}

Result<void> StagingLog::append(StagingRecord& record, std::span<const std::byte> bytes) {
  PFS_FAULT_POINT("store.staging.append");
  Lock lock(mutex_);
  if (!active_ || active_->size + bytes.size() > kSegmentSize) PFS_TRY(roll_locked());
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

Result<void> StagingLog::sync() {
  std::vector<std::pair<SegmentPtr, std::uint64_t>> unsynced;
  {
    Lock lock(mutex_);
    for (const auto& [number, segment] : segments_) {
      if (segment->synced_size < segment->size) unsynced.emplace_back(segment, segment->size);
    }
  }
  for (const auto& [segment, size] : unsynced) {
    PFS_TRY(segment->file.sync_data());
    Lock lock(mutex_);
    segment->synced_size = std::max(segment->synced_size, size);
  }
  return {};
}

void StagingLog::claim(const StagedAt& at, std::uint64_t bytes) {
  Lock lock(mutex_);
  if (const auto found = segments_.find(at.segment); found != segments_.end()) found->second->claimed += bytes;
}

void StagingLog::release(const StagedAt& at, std::uint64_t bytes) {
  Lock lock(mutex_);
  if (const auto found = segments_.find(at.segment); found != segments_.end()) {
    found->second->claimed -= std::min(bytes, found->second->claimed);
  }
}

StagingLog::Pin::Pin(StagingLog& log) : log_(log) {
  Lock lock(log_.mutex_);
  ++log_.pins_;
}

StagingLog::Pin::~Pin() {
  Lock lock(log_.mutex_);
  --log_.pins_;
}

bool StagingLog::has_unclaimed() const {
  Lock lock(mutex_);
  for (const auto& [number, segment] : segments_) {
    if (segment->claimed == 0 && segment != active_) return true;
  }
  return false;
}

void StagingLog::remove_unclaimed() {
  std::vector<SegmentPtr> gone;
  {
    Lock lock(mutex_);
    if (pins_ > 0) return;
    for (auto it = segments_.begin(); it != segments_.end();) {
      if (it->second->claimed == 0 && it->second != active_) {
        gone.push_back(it->second);
        it = segments_.erase(it);
      } else {
        ++it;
      }
    }
  }
  for (const auto& segment : gone) ::unlink(segment->file.path().c_str());
}

std::uint64_t StagingLog::bytes() const {
  Lock lock(mutex_);
  std::uint64_t sum = 0;
  for (const auto& [number, segment] : segments_) sum += segment->size;
  return sum;
}

}  // namespace pfs::store
