#include "store/pack/pack_set.h"

#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>

#include <boost/filesystem.hpp>
#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "base/codec.h"
#include "base/fault.h"
#include "store/pack/frame_scan.h"
#include "store/pack/open_pack.h"
#include "store/pack/pack_row.h"

namespace pfs::store {

namespace {

// Writeback of an open pack is begun whenever so much was appended, so that a sync finds little left to do.
constexpr std::uint64_t kWritebackStep = std::uint64_t{8} << 20U;

std::string file_name_of(PackNumber number) { return fmt::format("{:010x}.pack", number.value()); }

}  // namespace

PackSet::PackSet(std::string open_directory, LocalDb& local, BlobStore& blobs, const Clock& clock)
    : open_directory_(std::move(open_directory)), local_(local), blobs_(blobs), clock_(clock) {}

PackSet::~PackSet() = default;

Result<std::unique_ptr<PackSet>> PackSet::open(const std::string& open_directory, LocalDb& local, BlobStore& blobs,
                                               const Clock& clock) {
  std::unique_ptr<PackSet> packs(new PackSet(open_directory, local, blobs, clock));
  PFS_TRY_ASSIGN(const auto condemned, packs->load_rows());
  PFS_TRY(packs->end_removals(condemned));
  boost::system::error_code error;
  std::vector<std::string> names;
  for (boost::filesystem::directory_iterator it(open_directory, error), end; !error && it != end; it.increment(error)) {
    names.push_back(it->path().filename().string());
  }
  if (error) return error_from_errno(error.value(), "list " + open_directory);
  std::sort(names.begin(), names.end());
  for (const auto& name : names) PFS_TRY(packs->recover(name));
  PFS_TRY(packs->seal_left_over());
  return packs;
}

Result<std::unique_ptr<PackSet>> PackSet::open_read_only(const std::string& open_directory, LocalDb& local, BlobStore& blobs,
                                                         const Clock& clock) {
  std::unique_ptr<PackSet> packs(new PackSet(open_directory, local, blobs, clock));
  PFS_TRY(packs->load_rows());
  Lock lock(packs->mutex_);
  for (const auto& [number, row] : packs->opened_) {
    auto file = File::open(open_directory + "/" + file_name_of(number), O_RDONLY);
    if (!file && file.error().code == Code::kNotFound) continue;  // its file came behind its row, or it had no frame
    if (!file) return std::move(file).error();
    packs->open_.emplace(number, std::make_shared<OpenPack>(number, row.kind, row.when, std::move(*file)));
  }
  return packs;
}

Result<std::vector<std::pair<PackNumber, BlobName>>> PackSet::load_rows() {
  Result<void> outcome;
  std::vector<std::pair<PackNumber, BlobName>> condemned;
  {
    Lock lock(mutex_);
    PFS_TRY(local_.scan(Family::kPack, pack_key(PackNumber(0)), "", [&](std::string_view key, std::string_view value) PFS_NO_ANALYSIS {
      if (key == pack_key(PackNumber(0))) {
        const auto next = decode_next_number(value);
        if (!next) outcome = next.error();
        else next_number_ = std::max(next_number_, *next);
        return next.has_value();
      }
      if (key.size() != pack_key(PackNumber(0)).size()) return true;  // not a pack's
      const PackNumber pack(Decoder(key).u64());
      const auto row = PackRow::decode(value);
      if (!row) {
        outcome = row.error();
        return false;
      }
      next_number_ = std::max(next_number_, pack.value() + 1);
      if (row->state == PackState::kCondemned) condemned.emplace_back(pack, row->blob);
      else if (row->state != PackState::kOpen) sealed_[pack] = Sealed{row->blob, row->kind, row->size, row->partial, {}};
      else opened_.emplace(pack, *row);
      return true;
    }));
  }
  PFS_TRY(std::move(outcome));
  return condemned;
}

Result<void> PackSet::end_removals(const std::vector<std::pair<PackNumber, BlobName>>& condemned) {
  // nothing points to these any more
  LocalBatch gone;
  for (const auto& [pack, blob] : condemned) {
    PFS_TRY(blobs_.remove(blob));
    gone.erase(Family::kPack, pack_key(pack));
  }
  if (gone.empty()) return {};
  put_next_number(gone);
  return local_.write(gone);
}

Result<void> PackSet::recover(const std::string& file_name) {
  const std::string path = open_directory_ + "/" + file_name;
  std::uint64_t value = 0;
  if (std::sscanf(file_name.c_str(), "%10lx.pack", &value) != 1 || file_name != file_name_of(PackNumber(value))) return {};
  const PackNumber number(value);
  {
    Lock lock(mutex_);
    // on its way into the blob store, and perhaps not to be written by us any more
    if (const auto sealed = sealed_.find(number); sealed != sealed_.end()) return blobs_.put(sealed->second.blob, path);
  }
  PFS_TRY_ASSIGN(auto file, File::open(path, O_RDWR));
  // Read from the disk: what an earlier process could not sync may look good in the kernel's cache, and nowhere else. An error
  // of this sync is one of those, and the checksums tell what it has cost.
  if (const auto synced = file.sync_data(); !synced) spdlog::error("{}", synced.error().message);
  ::posix_fadvise(file.fd(), 0, 0, POSIX_FADV_DONTNEED);
  PFS_TRY_ASSIGN(const auto size, file.size());
  std::string head(kPackHeaderSize, '\0');
  PFS_TRY_ASSIGN(const auto got, file.read_at(0, std::as_writable_bytes(std::span(head))));
  auto kind = check_pack_header(std::string_view(head).substr(0, got), number);
  Lock lock(mutex_);
  next_number_ = std::max(next_number_, value + 1);
  const auto opened = opened_.find(number);
  if (!kind && kind.error().code == Code::kUnsupported) return Error(kind.error()).within(path);
  if (!kind && (size <= kPackHeaderSize || opened == opened_.end())) {
    // its header is synced before its row, and its row before its first frame
    spdlog::warn("pack {}: {}; removed, nothing refers to it", path, kind.error().message);
    ::unlink(path.c_str());
    return {};
  }
  if (!kind) {
    spdlog::error("pack {}: {}; made anew from its row", path, kind.error().message);
    kind = opened->second.kind;
    head = encode_pack_header(number, *kind);
    PFS_TRY(file.write_at(0, head, {}));
  }
  auto pack = std::make_shared<OpenPack>(number, *kind, opened != opened_.end() ? opened->second.when : clock_.now(), std::move(file));
  pack->note(head);
  LocalBatch missing;
  const auto location_of = [number](const FrameEntry& entry, std::uint64_t offset, const ScannedFrame& frame) {
    return Location{number, static_cast<std::uint32_t>(offset), static_cast<std::uint32_t>(frame.bytes.size()), entry.inner, entry.length};
  };
  const auto is_known = [&](std::uint64_t offset, const ScannedFrame& frame) -> Result<bool> {
    PFS_TRY_ASSIGN(const auto row, local_.get(Family::kIndex, object_key(frame.entries.back().id)));
    return row == location_of(frame.entries.back(), offset, frame).encode();
  };
  while (pack->size_ < size) {
    const auto offset = pack->size_;
    PFS_TRY_ASSIGN(const auto frame, frame_at(pack->file_, offset, size));
    if (!frame) {
      // a torn tail has no frame behind it; else only what lies before the next one is lost
      PFS_TRY_ASSIGN(const auto next, next_frame(pack->file_, offset, size, is_known));
      if (!next) break;
      spdlog::error("pack {}: {} bytes at {} are damaged; the objects in them cannot be read", path, *next - offset, offset);
      std::string damaged(std::min<std::uint64_t>(kFrameHeaderSize, *next - offset), '\0');
      PFS_TRY(pack->file_.read_exactly(offset, std::as_writable_bytes(std::span(damaged))));
      pack->note(damaged, *next - offset);
      continue;
    }
    sequence_ = std::max(sequence_.load(), frame->header.sequence + 1);
    // The rows of a frame are put in its order. So from its end on, the first that leads here says that none before it is
    // missing, and a start asks the index for a few objects of each frame, not for all that a pack of 64 MiB can hold.
    for (auto entry = frame->entries.rbegin(); entry != frame->entries.rend(); ++entry) {
      const std::string key = object_key(entry->id);
      const std::string here = location_of(*entry, offset, *frame).encode();
      PFS_TRY_ASSIGN(const auto row, local_.get(Family::kIndex, key));
      if (row == here) break;
      if (!row) missing.put(Family::kIndex, key, here);
    }
    for (const auto& entry : frame->entries) {
      const Location location = location_of(entry, offset, *frame);
      pack->entries_.push_back({entry.id, location.frame_offset, location.frame_length, entry.inner, entry.length});
    }
    pack->note(frame->bytes);
  }
  if (pack->size_ < size) {
    spdlog::warn("pack {}: a torn tail of {} bytes is cut off", path, size - pack->size_);
    PFS_TRY(pack->file_.truncate(pack->size_));
  }
  PFS_TRY(pack->file_.sync_data());
  pack->set_may_be_named();
  PFS_TRY(local_.write(missing));
  open_[number] = pack;
  if (!is_repacked(head)) current_[*kind] = pack;  // of several, the newest goes on
  return {};
}

// Packs whose sealing or filling was cut short: nobody will append to them.
Result<void> PackSet::seal_left_over() {
  std::vector<OpenPackPtr> left_over;
  {
    Lock lock(mutex_);
    for (const auto& [number, pack] : open_) {
      if (current_[pack->kind_] != pack) left_over.push_back(pack);
    }
  }
  for (const auto& pack : left_over) {
    // a full disk is no reason to keep the store shut: the pack is read where it is
    if (const auto ended = end(pack); !ended) spdlog::warn("pack {}: not sealed: {}", pack->number_.value(), ended.error().message);
  }
  return {};
}

Result<PackSet::OpenPackPtr> PackSet::create(PackKind kind, bool repacked) {
  PackNumber number;
  {
    Lock lock(mutex_);
    number = PackNumber(next_number_++);
  }
  const std::string path = open_directory_ + "/" + file_name_of(number);
  PFS_TRY_ASSIGN(auto file, File::open(path, O_RDWR | O_CREAT | O_EXCL));
  const std::string header = encode_pack_header(number, kind, repacked);
  PFS_TRY(file.write_at(0, header, {}));
  PFS_TRY(file.sync());
  PFS_TRY(sync_directory(open_directory_));
  LocalBatch row;
  const auto now = clock_.now();
  row.put(Family::kPack, pack_key(number), PackRow{kind, PackState::kOpen, 0, {}, now}.encode());
  PFS_TRY(local_.write(row));
  auto pack = std::make_shared<OpenPack>(number, kind, now, std::move(file));
  pack->note(header);
  return pack;
}

Result<PackSet::OpenPackPtr> PackSet::writable(PackKind kind) {
  {
    Lock lock(mutex_);
    const auto& current = current_[kind];
    if (takes_more(current)) return current;
  }
  PFS_TRY_ASSIGN(auto fresh, create(kind));
  OpenPackPtr full;
  {
    Lock lock(mutex_);
    auto& current = current_[kind];
    if (takes_more(current)) {  // another thread was faster
      ::unlink(fresh->file_.path().c_str());
      return current;
    }
    full = std::exchange(current, fresh);
    open_[fresh->number_] = fresh;
  }
  if (full && full->failed()) retire(full);
  else if (full) PFS_TRY(seal(full));
  return fresh;
}

bool PackSet::takes_more(const OpenPackPtr& pack) const { return pack && pack->size_ < seal_size_ && !pack->failed(); }

// What was synced in it before has its rows, and is read where it is. The rest gets none in this process: only the next start,
// which reads from the disk, can tell what of it is there. Where nothing was synced nobody needs it, and a full disk can do without.
void PackSet::retire(const OpenPackPtr& pack) {
  spdlog::error("pack {}: it could not be synced; nothing more is written to it", pack->number_.value());
  if (pack->may_be_named()) return;
  {
    Lock lock(mutex_);
    open_.erase(pack->number_);
  }
  ::unlink(pack->file_.path().c_str());  // its row stays: it says that the number was given
}

PackSet::EncodedFrame PackSet::encode(std::span<const FrameView> objects, int level) {
  EncodedFrame frame;
  std::uint32_t inner = 0;
  frame.entries.reserve(objects.size());
  for (const auto& object : objects) {
    const auto length = static_cast<std::uint32_t>(object.bytes.size());
    frame.entries.push_back({object.id, inner, length});
    inner += length;
  }
  frame.bytes = encode_frame(objects, sequence_.fetch_add(1), level);
  return frame;
}

Result<PackSet::Appended> PackSet::append(PackKind kind, const std::vector<FrameObject>& objects, int level) {
  std::vector<FrameView> views;
  views.reserve(objects.size());
  for (const auto& object : objects) views.push_back({object.id, object.bytes});
  return append(kind, encode(views, level));
}

Result<PackSet::Appended> PackSet::append(PackKind kind, const EncodedFrame& frame) {
  for (;;) {
    PFS_TRY_ASSIGN(auto pack, writable(kind));
    std::vector<Location> locations;
    std::uint64_t before = 0;
    std::uint64_t after = 0;
    {
      Lock lock(mutex_);
      if (current_[kind] != pack || pack->failed()) continue;  // it filled up meanwhile, or was not synced
      before = pack->size_;
      PFS_TRY_ASSIGN(locations, append_frame(*pack, frame));
      after = pack->size_;
    }
    // a hint: what fails here is told by the sync
    if (after / kWritebackStep != before / kWritebackStep) {
      const std::uint64_t written_to = after / kWritebackStep * kWritebackStep;
      ::sync_file_range(pack->file_.fd(), static_cast<off64_t>(written_to - kWritebackStep), kWritebackStep, SYNC_FILE_RANGE_WRITE);
    }
    return Appended{pack, std::move(locations)};
  }
}

Result<std::vector<Location>> PackSet::append_frame(OpenPack& pack, const EncodedFrame& frame) {
  const auto offset = pack.size_;
  PFS_TRY(pack.file_.write_at(offset, frame.bytes, {}));
  pack.note(frame.bytes);
  std::vector<Location> locations;
  for (const auto& entry : frame.entries) {
    const Location location{pack.number_, static_cast<std::uint32_t>(offset), static_cast<std::uint32_t>(frame.bytes.size()),
                            entry.inner, entry.length};
    pack.entries_.push_back({entry.id, location.frame_offset, location.frame_length, location.inner, location.length});
    locations.push_back(location);
  }
  return locations;
}

Result<void> PackSet::sync(const OpenPackPtr& pack) {
  return pack->sealed_ ? Result<void>{} : pack->sync();
}

Result<void> PackSet::OpenPack::sync() {
  return sync_.run([this]() -> Result<void> {
    PFS_TRY(fault_point("store.pack.sync"));
    PFS_TRY(file_.sync_data());
    may_be_named_ = true;
    return {};
  });
}

bool PackSet::is_sealed(const OpenPackPtr& pack) { return pack->sealed_; }

// Order: footer synced, row synced, then the file moves. A crash between leaves a file in open/ that its row says is
// sealed, and recover() ends the move.
Result<void> PackSet::seal(const OpenPackPtr& pack) {
  const std::string footer = encode_footer(pack->entries_, Sha256(pack->headers_).finish());
  PFS_TRY(pack->file_.truncate(pack->size_));  // of what a frame that could not be appended has left nothing is behind it
  PFS_TRY(pack->file_.write_at(pack->size_, footer, {}));
  if (auto synced = pack->sync(); !synced) {
    retire(pack);
    return synced;
  }
  const BlobName name = pack->headers_.add(footer).finish();
  const std::uint64_t size = pack->size_ + footer.size();
  LocalBatch rows;
  // with the index rows of all that is in it, also where a writer has not come to putting them: footer() promises it.
  // In their order in the index, which takes them faster so
  std::sort(pack->entries_.begin(), pack->entries_.end(), [](const auto& a, const auto& b) { return a.id < b.id; });
  for (const auto& entry : pack->entries_) {
    const Location location{pack->number_, entry.frame_offset, entry.frame_length, entry.inner, entry.length};
    rows.put(Family::kIndex, object_key(entry.id), location.encode());
  }
  rows.put(Family::kPack, pack_key(pack->number_), PackRow{pack->kind_, PackState::kSealed, size, name, clock_.now()}.encode());
  PFS_TRY(local_.write(rows));
  PFS_TRY(local_.sync());
  pack->sealed_ = true;
  PFS_FAULT_POINT("store.pack.seal");
  PFS_TRY(blobs_.put(name, pack->file_.path()));
  Lock lock(mutex_);
  sealed_[pack->number_] = Sealed{name, pack->kind_, size, false, pack};
  open_.erase(pack->number_);
  return {};
}

Result<SharedBytes> PackSet::read_frame(const Location& location) const {
  return read_range(location.pack, location.frame_offset, location.frame_length);
}

Result<SharedBytes> PackSet::read_range(PackNumber number, std::uint64_t offset, std::size_t length) const {
  OpenPackPtr pack;
  BlobName blob;
  {
    Lock lock(mutex_);
    if (const auto open = open_.find(number); open != open_.end()) {
      pack = open->second;
    } else if (const auto sealed = sealed_.find(number); sealed != sealed_.end()) {
      blob = sealed->second.blob;
    } else {
      return Error{Code::kNotFound, fmt::format("pack {}: the index names it and it is not there", number.value())};
    }
  }
  ByteRoom room(length);
  if (pack) {
    PFS_TRY(pack->file_.read_exactly(offset, room.span()));
    return std::move(room).share();
  }
  auto got = blobs_.get(blob, offset, room.span());
  // kInvalid: the place lies behind its end
  if (!got && got.error().code != Code::kInvalid) return std::move(got).error().within(fmt::format("pack {}", number.value()));
  if (!got || *got != length) {
    return Error{Code::kCorrupt, fmt::format("pack {}: damaged: it ends before {}, where the index says that an object lies",
                                             number.value(), offset + length)};
  }
  return std::move(room).share();
}

Result<std::optional<std::vector<FooterEntry>>> PackSet::footer(PackNumber number) const {
  std::uint64_t size = 0;
  {
    Lock lock(mutex_);
    const auto sealed = sealed_.find(number);
    if (sealed == sealed_.end() || open_.contains(number)) return std::optional<std::vector<FooterEntry>>{};
    size = sealed->second.size;
  }
  const auto tail_size = std::min<std::uint64_t>(size, kFooterTailSize);
  PFS_TRY_ASSIGN(const auto tail, read_range(number, size - tail_size, tail_size));
  PFS_TRY_ASSIGN(const auto length, footer_size(tail.bytes));
  if (length > size) return Error{Code::kCorrupt, fmt::format("pack {}: damaged footer", number.value())};
  PFS_TRY_ASSIGN(const auto footer, read_range(number, size - length, length));
  auto entries = decode_footer(footer.bytes);
  if (!entries) return std::move(entries).error().within(fmt::format("pack {}", number.value()));
  return std::optional(std::move(*entries));
}

}  // namespace pfs::store
