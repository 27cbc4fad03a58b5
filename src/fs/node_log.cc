#include "fs/node_log.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <ctime>
#include <fstream>
#include <unordered_set>
#include <vector>

#include <spdlog/spdlog.h>
#include <xxhash.h>

#include "base/codec.h"

namespace pfs::fs {

namespace {

constexpr std::string_view kNodesMagic("pfsnode2", 8);
constexpr std::size_t kBootId = 16;  // bytes
constexpr std::uint64_t kNodesHeader = kNodesMagic.size() + kBootId;
constexpr std::uint64_t kNodesSize = std::uint64_t{32} << 20U;
constexpr std::uint64_t kNodesStep = std::uint64_t{1} << 20U;  // allocated at once
constexpr std::uint64_t kNodesKept = kNodesSize / 2;
constexpr std::uint64_t kNoteHead = 4 + 1 + 8 + 4 + 4 + 8 + 4;  // checksum, length of the name, node, generation, era, parent, its era
constexpr std::size_t kMaxNodeName = 255;
constexpr std::string_view kCleanlyClosed("\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", kBootId);

std::uint32_t note_checksum(std::string_view bytes) { return static_cast<std::uint32_t>(XXH3_64bits(bytes.data(), bytes.size())); }

// Which start of the machine this is. Source: random(4), boot_id.
std::string boot_id() {
  std::string text;
  if (!std::getline(std::ifstream("/proc/sys/kernel/random/boot_id"), text)) return Encoder().u64(static_cast<std::uint64_t>(::time(nullptr))).u64(static_cast<std::uint64_t>(::getpid())).str();
  const auto hash = XXH3_128bits(text.data(), text.size());
  return Encoder().u64(hash.high64).u64(hash.low64).str();
}

}  // namespace

Result<std::unique_ptr<NodeLog>> NodeLog::open(const std::string& path) {
  std::unique_ptr<NodeLog> log(new NodeLog(path));
  PFS_TRY(log->map_file());
  return log;
}

NodeLog::~NodeLog() {
  if (bytes_ == nullptr) return;
  if (::msync(bytes_, allocated_, MS_SYNC) == 0) {
    std::memcpy(bytes_ + kNodesMagic.size(), kCleanlyClosed.data(), kBootId);
    ::msync(bytes_, kNodesStep, MS_SYNC);
  }
  unmap();
}

void NodeLog::unmap() {
  if (bytes_ != nullptr) ::munmap(bytes_, kNodesSize);
  bytes_ = nullptr;
  allocated_ = 0;
  end_ = begin();
}

std::uint64_t NodeLog::begin() const { return kNodesHeader; }

// Only what is allocated is ever touched: a page that the disk has no room for would be a SIGBUS.
Result<void> NodeLog::map_file() {
  PFS_TRY_ASSIGN(file_, File::open(path_, O_RDWR | O_CREAT));
  PFS_TRY_ASSIGN(const auto size, file_.size());
  allocated_ = std::min(size / kNodesStep * kNodesStep, kNodesSize);
  PFS_TRY(file_.truncate(allocated_));
  if (allocated_ > 0) {  // a copy of a store may have holes
    if (const int failed = ::posix_fallocate(file_.fd(), 0, static_cast<off_t>(allocated_)); failed != 0) {
      return error_from_errno(failed, "allocate " + path_);
    }
  }
  void* mapped = ::mmap(nullptr, kNodesSize, PROT_READ | PROT_WRITE, MAP_SHARED, file_.fd(), 0);
  if (mapped == MAP_FAILED) return error_from_errno(errno, "map " + path_);
  bytes_ = static_cast<char*>(mapped);
  if (!allocate(kNodesStep)) return Error{Code::kNoSpace, path_ + ": no room on the disk"};
  const std::string boot = boot_id();
  const std::string_view written_in(bytes_ + kNodesMagic.size(), kBootId);
  if (std::string_view(bytes_, kNodesMagic.size()) != kNodesMagic || (written_in != boot && written_in != kCleanlyClosed)) {
    std::memset(bytes_, 0, allocated_);
    std::memcpy(bytes_, kNodesMagic.data(), kNodesMagic.size());
  }
  std::memcpy(bytes_ + kNodesMagic.size(), boot.data(), kBootId);
  // before the first note: after a power cut it must not seem to be closed
  if (::msync(bytes_, kNodesStep, MS_SYNC) != 0) return error_from_errno(errno, "sync " + path_);
  // up to the first that is not whole: the process was killed while it wrote it
  end_ = begin();
  while (const auto note = at(end_)) end_ += size_of(*note);
  return {};
}

std::uint64_t NodeLog::size_of(const NodeNote& note) { return kNoteHead + note.name.size(); }

std::optional<NodeNote> NodeLog::at(std::uint64_t offset) const {
  if (bytes_ == nullptr || offset + kNoteHead > allocated_) return std::nullopt;
  Decoder in({bytes_ + offset, kNoteHead});
  const auto sum = in.u32();
  const std::size_t length = in.u8();
  NodeNote note;
  note.node = NodeId(in.u64());
  note.generation = in.u32();
  note.era = in.u32();
  note.parent = NodeId(in.u64());
  note.parent_era = in.u32();
  if (!note.node || offset + kNoteHead + length > allocated_) return std::nullopt;
  note.name = {bytes_ + offset + kNoteHead, length};
  if (note_checksum({bytes_ + offset + sizeof sum, size_of(note) - sizeof sum}) != sum) return std::nullopt;
  return note;
}

bool NodeLog::allocate(std::uint64_t end) {
  while (allocated_ < end) {
    if (::posix_fallocate(file_.fd(), static_cast<off_t>(allocated_), static_cast<off_t>(kNodesStep)) != 0) return false;
    allocated_ += kNodesStep;
  }
  return true;
}

bool NodeLog::is_full_with(const NodeNote& note) const { return end_ + size_of(note) > kNodesSize; }

std::optional<std::uint64_t> NodeLog::append(const NodeNote& note) {
  if (bytes_ == nullptr || note.name.size() > kMaxNodeName || is_full_with(note)) return std::nullopt;
  Encoder fields;
  fields.u8(static_cast<std::uint8_t>(note.name.size())).u64(note.node.value()).u32(note.generation).u32(note.era);
  fields.u64(note.parent.value()).u32(note.parent_era).raw(note.name);
  const auto record = Encoder().u32(note_checksum(fields.str())).raw(fields.str()).str();
  if (!allocate(end_ + record.size())) return std::nullopt;
  std::memcpy(bytes_ + end_, record.data(), record.size());
  const auto offset = end_;
  end_ += record.size();
  return offset;
}

void NodeLog::spoil() {
  if (bytes_ != nullptr) {
    std::memset(bytes_, 0, kNodesMagic.size());
  } else {
    ::unlink(path_.c_str());
  }
}

Result<void> NodeLog::keep_newest() {
  std::vector<std::uint64_t> offsets;
  for (auto offset = begin(); offset < end_; offset += size_of(*at(offset))) offsets.push_back(offset);
  std::unordered_set<NodeId> seen;
  std::unordered_set<NodeId> needed;  // directories of what is kept, which may be the oldest of all
  std::vector<std::uint64_t> kept;
  std::uint64_t size = 0;
  for (auto offset = offsets.rbegin(); offset != offsets.rend(); ++offset) {
    const auto note = at(*offset);
    if (!seen.insert(note->node).second || (size >= kNodesKept && !needed.contains(note->node))) continue;
    needed.insert(note->parent);
    kept.push_back(*offset);
    size += size_of(*note);
  }
  std::string text(bytes_, kNodesHeader);
  for (auto offset = kept.rbegin(); offset != kept.rend(); ++offset) text.append(bytes_ + *offset, size_of(*at(*offset)));
  const std::string fresh = path_ + ".new";
  const auto write = [&]() -> Result<void> {
    const auto allocated = static_cast<off_t>((text.size() + kNodesStep - 1) / kNodesStep * kNodesStep);
    PFS_TRY_ASSIGN(const auto file, File::open(fresh, O_RDWR | O_CREAT | O_TRUNC));
    if (const int failed = ::posix_fallocate(file.fd(), 0, allocated); failed != 0) return error_from_errno(failed, "make " + fresh);
    PFS_TRY(file.write_at(0, text, {}));
    if (::rename(fresh.c_str(), path_.c_str()) != 0) return error_from_errno(errno, "rename " + fresh);
    return {};
  };
  if (auto wrote = write(); !wrote) {
    ::unlink(fresh.c_str());
    return wrote;
  }
  unmap();
  return map_file();
}

}  // namespace pfs::fs
