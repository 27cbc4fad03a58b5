#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <thread>
#include <unordered_map>
#include <vector>

#include "base/sync.h"
#include "store/live_trees.h"
#include "store/pack/object_writer.h"
#include "store/repo/file_state.h"

namespace pfs::store {

/// Cuts big new files while they are still being written, and has their chunks stored, so that the commit finds little left to
/// do. What it remembers is a help and nothing else: a write over a part that was cut makes it forget, a crash
/// too, and finishing then cuts the file as it would any other. What was stored in vain is collected like other garbage.
///
/// Thread-safe. One thread reads and cuts; the pool hashes and compresses. Source: docs/architecture.md "Cutting ahead".
class CutAhead {
 public:
  /// What is known of one file.
  class File;
  using FilePtr = std::shared_ptr<File>;

  /// Whether a file, where it is now, may come to be committed. Called by the thread with nothing held.
  using MayBeCommitted = std::function<bool(const LiveNode&)>;

  CutAhead(Objects& objects, const ContentReader& contents, StagingLog& staging, MayBeCommitted may_be_committed);
  /// Ends the thread. Nobody writes any more.
  ~CutAhead();
  CutAhead(const CutAhead&) = delete;
  CutAhead& operator=(const CutAhead&) = delete;

  /// Bytes from `offset` on were written, in the file's present epoch. The caller holds the file's mutex.
  void wrote(LiveNode& file, std::uint64_t offset) PFS_EXCLUDES(mutex_);
  /// Its bytes changed in another way: it was truncated, or got bytes of another file. The caller holds the file's mutex.
  void changed(LiveNode& file) PFS_EXCLUDES(mutex_);
  /// A commit left the file out: all of it belongs to `epoch` now. The caller holds the file's mutex, and nobody writes.
  void carried(LiveNode& file, Epoch epoch) PFS_EXCLUDES(mutex_);
  /// The file has no name any more.
  void forget(FileId file) PFS_EXCLUDES(mutex_);
  /// What is still known of a file that is loaded again, for its node: whatever changes its bytes has to find it there. Null where
  /// nothing is, or where nothing that is written from now on matters to it.
  FilePtr known(FileId file) PFS_EXCLUDES(mutex_);

  /// Objects that were handed over together: they are stored, or all of them may not be.
  struct Session;
  using Sessions = std::set<std::shared_ptr<Session>>;

  /// How many writes it was told of. Who walks the newest rows, which no epoch keeps apart from what is written meanwhile, asks
  /// before the rows are fixed.
  std::uint64_t writes() PFS_EXCLUDES(mutex_);
  static constexpr std::uint64_t kAnyWrites = ~std::uint64_t{0};

  /// The chunks that the file begins with, as the commit of `epoch` has it; nothing is remembered of it afterwards. They
  /// are there for the commit once flush() of what was added to `used` has succeeded. None where the file was written after the
  /// first `writes` of all writes: what was cut may then be newer than what the caller reads.
  std::vector<CutChunk> take(FileId file, Epoch epoch, std::uint64_t writes, Sessions& used) PFS_EXCLUDES(mutex_);
  /// What was handed over in these is stored, and durable no later than the next commit to the RefDb.
  Result<void> flush(const Sessions& used) PFS_EXCLUDES(mutex_);

 private:
  void run() PFS_EXCLUDES(mutex_);
  void step(const FilePtr& file) PFS_EXCLUDES(mutex_);
  Result<void> store(const FilePtr& file, std::string_view bytes, const std::vector<std::uint32_t>& lengths) PFS_EXCLUDES(mutex_);
  void drop(FilePtr& file) PFS_REQUIRES(mutex_);
  void flush_first() PFS_REQUIRES(mutex_);
  void give_up(Session& session, const Error& error) PFS_REQUIRES(mutex_);
  bool room_for_another() PFS_REQUIRES(mutex_);

  Objects& objects_;
  const ContentReader& contents_;
  StagingLog& staging_;
  const MayBeCommitted may_be_committed_;
  const std::uint64_t step_bytes_;
  std::string piece_;  // the thread's

  Mutex mutex_{LockRank::kLeaf};
  Condition asked_or_done_;
  std::unordered_map<FileId, FilePtr> files_ PFS_GUARDED_BY(mutex_);
  std::deque<FilePtr> queue_ PFS_GUARDED_BY(mutex_);
  std::size_t remembered_ PFS_GUARDED_BY(mutex_) = 0;  // chunks, of all files
  std::uint64_t writes_ PFS_GUARDED_BY(mutex_) = 0;    // to files that something is known of
  std::shared_ptr<Session> session_ PFS_GUARDED_BY(mutex_);
  std::deque<std::shared_ptr<Session>> flushes_ PFS_GUARDED_BY(mutex_);
  bool stopping_ PFS_GUARDED_BY(mutex_) = false;
  std::thread thread_ PFS_GUARDED_BY(mutex_);  // started with the first file
};

}  // namespace pfs::store
