#include "store/tree/read_ahead.h"

#include <algorithm>
#include <utility>

namespace pfs::store {

namespace {

// One task's worth: some frames that lie side by side.
constexpr std::uint64_t kGroup = std::uint64_t{512} << 10U;
// The kernel reads ahead with several requests at a time, which arrive in any order.
constexpr std::uint64_t kNear = std::uint64_t{1} << 20U;
// Who has read less than this forward may be looking at one place: an edit, a header.
constexpr std::uint64_t kForward = std::uint64_t{512} << 10U;

}  // namespace

// Chunks fetched together. `runs` does not change; the rest is guarded by ReadAhead::mutex_.
struct ReadAhead::Group {
  enum class Stage { kWaiting, kWorked, kDone };
  std::vector<Run> runs;
  Stage stage = Stage::kWaiting;
  std::vector<SharedBytes> chunks;  // of the runs, in order; none where that failed
};

// Guarded by ReadAhead::mutex_.
class ReadAhead::Reader {
 public:
  Digest file;
  std::uint64_t next = 0;      // where the last read ended
  std::uint64_t forward = 0;   // bytes read forward so far
  std::uint64_t fetched = 0;   // groups reach to here
  std::map<std::uint64_t, GroupPtr> groups;  // by where they begin
};

ReadAhead::~ReadAhead() {
  Lock lock(mutex_);
  ending_ = true;
  while (under_way_ > 0) fetched_.wait(mutex_);
}

ReadAhead::ReaderPtr ReadAhead::reader_of(const Digest& file, std::uint64_t offset, std::uint64_t end) {
  Lock lock(mutex_);
  for (auto it = readers_.begin(); it != readers_.end(); ++it) {
    auto& reader = **it;
    if (reader.file != file || offset + kNear < reader.next || offset > reader.next + kNear) continue;
    readers_.splice(readers_.begin(), readers_, it);
    if (end > reader.next) reader.forward += end - std::max(offset, reader.next);
    reader.next = std::max(reader.next, end);
    // what lies behind all that can still be asked for
    while (!reader.groups.empty() && reader.groups.begin()->second->runs.back().end + kNear < offset) {
      reader.groups.erase(reader.groups.begin());
    }
    return readers_.front();
  }
  auto reader = std::make_shared<Reader>();
  reader->file = file;
  reader->next = reader->fetched = end;
  readers_.push_front(std::move(reader));
  if (readers_.size() > kReaders) readers_.pop_back();
  return nullptr;
}

Result<void> ReadAhead::fetch(const ReaderPtr& reader, std::uint64_t offset, std::uint64_t end, const Runs& runs) {
  std::uint64_t from = 0;
  std::uint64_t to = 0;
  {
    Lock lock(mutex_);
    if (reader->forward < kForward) return {};
    // as far ahead as was read forward: who reads a little gets a little
    to = end + std::min(kAhead, reader->forward);
    from = std::max(reader->fetched, offset);
    if (from >= to || to - from < std::min(kGroup, reader->forward)) return {};
  }
  std::vector<GroupPtr> groups;
  std::uint64_t reached = from;
  std::uint64_t bytes = 0;
  PFS_TRY(runs(from, [&](const Run& run) {
    if (groups.empty() || bytes >= kGroup) {
      groups.push_back(std::make_shared<Group>());
      bytes = 0;
    }
    groups.back()->runs.push_back(run);
    bytes += std::min(run.end - run.begin, kGroup);
    reached = run.end;
    return reached < to;
  }));
  {
    Lock lock(mutex_);
    if (reader->fetched > from || ending_) return {};  // another thread was faster
    reader->fetched = std::max(reached, to);
    for (const auto& group : groups) reader->groups[group->runs.front().begin] = group;
    under_way_ += groups.size();
  }
  for (const auto& group : groups) {
    objects_.pool().submit(WorkPool::Turn::kSoon, [this, group] {
      if (begin(*group)) work(*group);
      Lock lock(mutex_);
      --under_way_;
      fetched_.notify_all();
    });
  }
  return {};
}

// False when another thread has begun, or nobody can come for it any more.
bool ReadAhead::begin(Group& group) {
  Lock lock(mutex_);
  if (group.stage != Group::Stage::kWaiting || ending_) return false;
  group.stage = Group::Stage::kWorked;
  return true;
}

void ReadAhead::work(Group& group) {
  std::vector<ObjectId> ids;
  ids.reserve(group.runs.size());
  for (const auto& run : group.runs) ids.push_back({ObjectKind::kChunk, run.digest});
  auto chunks = objects_.read_together(ids);
  Lock lock(mutex_);
  // the reader meets the error itself, where it is
  if (chunks) group.chunks = std::move(*chunks);
  group.stage = Group::Stage::kDone;
  fetched_.notify_all();
}

std::optional<SharedBytes> ReadAhead::take(const ReaderPtr& reader, std::uint64_t at, const Digest& digest) {
  GroupPtr group;
  {
    Lock lock(mutex_);
    auto found = reader->groups.upper_bound(at);
    if (found == reader->groups.begin()) return std::nullopt;
    group = std::prev(found)->second;
    if (group->runs.back().end <= at) return std::nullopt;
  }
  if (begin(*group)) work(*group);
  Lock lock(mutex_);
  while (group->stage != Group::Stage::kDone) fetched_.wait(mutex_);
  const auto run = std::upper_bound(group->runs.begin(), group->runs.end(), at, [](std::uint64_t byte, const Run& one) { return byte < one.end; });
  const auto number = static_cast<std::size_t>(run - group->runs.begin());
  if (number >= group->chunks.size() || run->digest != digest) return std::nullopt;
  return group->chunks[number];
}

}  // namespace pfs::store
