#include "fs/node_names.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <unordered_set>
#include <vector>

#include <spdlog/spdlog.h>
#include <xxhash.h>

#include "base/codec.h"

namespace pfs::fs {

namespace {

constexpr std::string_view kNodesHeader("pfsnode1", 8);
constexpr std::uint64_t kNodesSize = std::uint64_t{64} << 20U;
constexpr std::uint64_t kNodesStep = std::uint64_t{1} << 20U;  // allocated at once
constexpr std::uint64_t kNodesKept = kNodesSize / 2;
constexpr std::uint64_t kNodeHead = 4 + 2 + 8 + 8;  // checksum, length of the name, node, parent
constexpr std::size_t kMaxNodeName = 255;

std::uint32_t node_checksum(std::string_view bytes) { return static_cast<std::uint32_t>(XXH3_64bits(bytes.data(), bytes.size())); }

}  // namespace

struct NodeNames::Record {
  NodeId node;
  NodeId parent;
  std::string_view name;
  std::uint64_t length = 0;
};

Result<std::unique_ptr<NodeNames>> NodeNames::open(const std::string& path) {
  std::unique_ptr<NodeNames> names(new NodeNames(path));
  Lock lock(names->mutex_);
  PFS_TRY(names->map_file());
  return names;
}

NodeNames::~NodeNames() { unmap(); }

// Without its lock: by whoever has it, or is the last.
void NodeNames::unmap() PFS_NO_ANALYSIS {
  if (bytes_ != nullptr) ::munmap(bytes_, kNodesSize);
  bytes_ = nullptr;
}

// Only what is allocated is ever touched: a page that the disk has no room for would be a SIGBUS.
Result<void> NodeNames::map_file() {
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
  index_.clear();
  indexed_ = used_ = kNodesHeader.size();
  if (!allocate(kNodesHeader.size())) return Error{Code::kNoSpace, path_ + ": no room on the disk"};
  if (std::string_view(bytes_, kNodesHeader.size()) != kNodesHeader) {
    std::memset(bytes_, 0, allocated_);
    std::memcpy(bytes_, kNodesHeader.data(), kNodesHeader.size());
  }
  // up to the first that is not whole: the process was killed while it wrote it, or a power cut has taken what follows
  while (const auto record = record_at(used_)) used_ += record->length;
  return {};
}

std::optional<NodeNames::Record> NodeNames::record_at(std::uint64_t offset) const {
  if (offset + kNodeHead > allocated_) return std::nullopt;
  Decoder in({bytes_ + offset, kNodeHead});
  const auto sum = in.u32();
  const auto length = in.u16();
  Record record;
  record.node = NodeId(in.u64());
  record.parent = NodeId(in.u64());
  record.length = kNodeHead + length;
  if (length == 0 || length > kMaxNodeName || offset + record.length > allocated_) return std::nullopt;
  if (node_checksum({bytes_ + offset + sizeof sum, record.length - sizeof sum}) != sum) return std::nullopt;
  record.name = {bytes_ + offset + kNodeHead, length};
  return record;
}

bool NodeNames::allocate(std::uint64_t end) {
  while (allocated_ < end) {
    if (::posix_fallocate(file_.fd(), static_cast<off_t>(allocated_), static_cast<off_t>(kNodesStep)) != 0) return false;
    allocated_ += kNodesStep;
  }
  return true;
}

void NodeNames::note(NodeId node, NodeId parent, std::string_view name) {
  if (name.empty() || name.size() > kMaxNodeName) return;
  Encoder fields;
  fields.u16(static_cast<std::uint16_t>(name.size())).u64(node.value()).u64(parent.value()).raw(name);
  const auto record = Encoder().u32(node_checksum(fields.str())).raw(fields.str()).str();
  Lock lock(mutex_);
  if (bytes_ == nullptr) return;
  if (used_ + record.size() > kNodesSize) {
    if (full_) return;
    if (auto kept = keep_newest(); !kept) {
      spdlog::warn("{}; file handles of what is met from here on may be stale", kept.error().message);
      full_ = true;  // until the next start
    }
  }
  if (bytes_ == nullptr || used_ + record.size() > kNodesSize || !allocate(used_ + record.size())) return;
  std::memcpy(bytes_ + used_, record.data(), record.size());
  used_ += record.size();
}

// Each node once, the latest first found, until half of the room is full.
Result<void> NodeNames::keep_newest() {
  std::vector<std::pair<std::uint64_t, NodeId>> places;
  for (std::uint64_t at = kNodesHeader.size(); at < used_;) {
    const auto record = record_at(at);
    if (!record) break;
    places.emplace_back(at, record->node);
    at += record->length;
  }
  std::unordered_set<NodeId> seen;
  std::vector<std::uint64_t> kept;
  std::uint64_t bytes = 0;
  std::unordered_set<NodeId> needed;  // directories of what is kept, which may be the oldest of all
  for (auto place = places.rbegin(); place != places.rend(); ++place) {
    const auto [at, node] = *place;
    if (!seen.insert(node).second || (bytes >= kNodesKept && !needed.contains(node))) continue;
    const auto record = record_at(at);
    needed.insert(record->parent);
    kept.push_back(at);
    bytes += record->length;
  }
  std::string text(kNodesHeader);
  for (auto at = kept.rbegin(); at != kept.rend(); ++at) text.append(bytes_ + *at, record_at(*at)->length);
  const std::string fresh = path_ + ".new";
  const auto write = [&]() -> Result<void> {
    const auto size = static_cast<off_t>((text.size() + kNodesStep - 1) / kNodesStep * kNodesStep);
    PFS_TRY_ASSIGN(const auto file, File::open(fresh, O_RDWR | O_CREAT | O_TRUNC));
    if (const int failed = ::posix_fallocate(file.fd(), 0, size); failed != 0) return error_from_errno(failed, "make " + fresh);
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

std::optional<NodeNames::Place> NodeNames::find(NodeId node) {
  Lock lock(mutex_);
  if (bytes_ == nullptr) return std::nullopt;
  while (indexed_ < used_) {
    const auto record = record_at(indexed_);
    if (!record) return std::nullopt;
    index_[record->node] = indexed_;
    indexed_ += record->length;
  }
  const auto found = index_.find(node);
  if (found == index_.end()) return std::nullopt;
  const auto record = record_at(found->second);
  if (!record) return std::nullopt;
  return Place{record->parent, std::string(record->name)};
}

}  // namespace pfs::fs
