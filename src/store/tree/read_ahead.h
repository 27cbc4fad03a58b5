#pragma once

#include <functional>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "base/sync.h"
#include "store/pack/objects.h"

namespace pfs::store {

/// Chunks of files that are read forward, fetched and decoded by the pool before they are asked for. A file is read forward
/// when a read begins near where one before it ended.
///
/// Thread-safe. Bounded: kReaders files at a time, kAhead bytes before each reader. What nobody came for is dropped with the
/// reader that was not heard of for longest.
class ReadAhead {
 public:
  static constexpr std::size_t kReaders = 4;
  static constexpr std::uint64_t kAhead = std::uint64_t{4} << 20U;

  explicit ReadAhead(const Objects& objects) : objects_(objects) {}
  ~ReadAhead();
  ReadAhead(const ReadAhead&) = delete;
  ReadAhead& operator=(const ReadAhead&) = delete;

  /// A run of equal chunks: where in the file, and which chunk.
  struct Run {
    std::uint64_t begin = 0;
    std::uint64_t end = 0;
    Digest digest;
  };
  class Reader;
  using ReaderPtr = std::shared_ptr<Reader>;

  /// The reader that a read of [offset, end) of `file` goes on from; nullptr when it does not read forward.
  ReaderPtr reader_of(const Digest& file, std::uint64_t offset, std::uint64_t end) PFS_EXCLUDES(mutex_);

  /// Has the chunks of [from, as far as `runs` gives) fetched, if the reader is not far enough ahead already. `runs` tells
  /// what follows `from`, until its callback returns false.
  using Runs = std::function<Result<void>(std::uint64_t from, const std::function<bool(const Run&)>& visit)>;
  Result<void> fetch(const ReaderPtr& reader, std::uint64_t offset, std::uint64_t end, const Runs& runs) PFS_EXCLUDES(mutex_);

  /// The chunk of the run that holds byte `at`, where it was fetched; waits for it, or fetches it in this thread where the
  /// pool has not begun. nullopt where it was not, or could not be.
  std::optional<SharedBytes> take(const ReaderPtr& reader, std::uint64_t at, const Digest& digest) PFS_EXCLUDES(mutex_);

 private:
  struct Group;
  using GroupPtr = std::shared_ptr<Group>;
  bool begin(Group& group) PFS_EXCLUDES(mutex_);
  void work(Group& group) PFS_EXCLUDES(mutex_);

  const Objects& objects_;
  Mutex mutex_{LockRank::kLeaf};
  Condition fetched_;
  std::list<ReaderPtr> readers_ PFS_GUARDED_BY(mutex_);  // heard of last first
  std::size_t under_way_ PFS_GUARDED_BY(mutex_) = 0;     // tasks that the pool has
  bool ending_ PFS_GUARDED_BY(mutex_) = false;
};

}  // namespace pfs::store
