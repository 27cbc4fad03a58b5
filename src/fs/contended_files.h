#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <unordered_map>

#include "base/sync.h"
#include "fs/ids.h"

namespace pfs::fs {

/// Bytes of files, by the page: ends by begins, none touches another. Where there are many they are taken for one.
class PageRanges {
 public:
  void add(std::uint64_t offset, std::uint64_t length);
  /// What of them lies in the pages of that range.
  PageRanges within(std::uint64_t offset, std::uint64_t length) const;
  void take_out(const PageRanges& others);
  bool empty() const { return ends_.empty(); }
  /// Shape: `visit(offset, length)`.
  void each(const std::function<void(std::uint64_t, std::uint64_t)>& visit) const;

 private:
  std::map<std::uint64_t, std::uint64_t> ends_;
};

/// The files that were changed past the kernel's page cache, and what the kernel has read of each since its pages were dropped.
///
/// The kernel puts what write(2) writes into a cached page, lets go of the page and then sends the bytes to us. When the page is
/// dropped in between and read again before the bytes are here, the new page is without them, and stays so. We see just that: a
/// write to what was read since the drop. Then the page is whole and nobody holds it, so it is dropped once more before the write
/// is answered. A page that was not whole the write holds until it is answered; its drop would wait for us. Such a page was not
/// read since. Source: fuse_fill_write_pages() in fs/fuse/file.c.
///
/// What was read while a drop was under way may have gone with it, or not, so that a write to it may hold the page: its drop is
/// waited for as well, but for a moment only.
///
/// Thread-safe. Drops are the caller's, and come without a lock held.
class ContendedFiles {
 public:
  /// Drops pages in the background and says when they are gone, on any thread; or never, when the mount has begun to stop. Of all
  /// of the file, where the length is 0.
  using Drop = std::function<void(std::uint64_t offset, std::uint64_t length, std::function<void()> gone)>;

  ContendedFiles() : state_(std::make_shared<State>()) {}

  /// A range of the file was changed past the pages, which are dropped; all of it, where the length is 0.
  void changed(NodeId file, std::uint64_t offset, std::uint64_t length, const Drop& drop);
  /// Drops all pages, so that what a shared mapping has changed in them is sent to us.
  void write_back(NodeId file, const Drop& drop);
  /// The kernel drops pages by itself, for a change by the mount that they are of.
  void dropped(NodeId file);
  /// The kernel reads: before the bytes are looked up.
  void reading(NodeId file, std::uint64_t offset, std::uint64_t length);
  /// The kernel wrote: after the bytes were stored, and before it is answered.
  void written(NodeId file, std::uint64_t offset, std::uint64_t length, const Drop& drop);

 private:
  using Time = std::chrono::steady_clock::time_point;
  /// Pages that were read, and are in the kernel's cache therefore.
  struct Pages {
    PageRanges surely;
    PageRanges perhaps;  ///< read while they were dropped
    Pages within(std::uint64_t offset, std::uint64_t length) const;
    void take_out(const Pages& others);
    bool empty() const { return surely.empty() && perhaps.empty(); }
  };
  /// On its way to the kernel.
  struct Dropping {
    std::uint64_t number = 0;
    PageRanges covers;
    Pages read;  ///< of these, before it began
  };
  struct File {
    Pages read;
    std::list<Dropping> dropping;
    Time changed{};  ///< some seconds later no write is on its way that was made before
  };
  /// Shared with drops, which may end after us.
  struct State {
    mutable Mutex mutex{LockRank::kLeaf};
    Condition drop_ended;
    std::unordered_map<NodeId, File> files PFS_GUARDED_BY(mutex);
    std::uint64_t next_number PFS_GUARDED_BY(mutex) = 1;
    Time swept PFS_GUARDED_BY(mutex);
    std::atomic<bool> any = false;  // asked by every read and write, which need not know of a file that just became one

    /// Forgets files that nothing can be wrong with any more.
    void sweep(Time now) PFS_REQUIRES(mutex);
    bool is_contended(NodeId file, Time now) const PFS_REQUIRES(mutex);
    /// Takes `read` out of what was read. Shape: the number of the drop.
    std::uint64_t begins(NodeId file, PageRanges covers, Pages read) PFS_REQUIRES(mutex);
    void ends(NodeId file, std::uint64_t number) PFS_EXCLUDES(mutex);
    /// Shape: whether `is_over` came true before the time did.
    bool wait(Time deadline, const std::function<bool()>& is_over) PFS_REQUIRES(mutex);
    bool is_under_way(NodeId file, std::uint64_t number) const PFS_REQUIRES(mutex);
    /// Whether pages in the range are being dropped that were read, surely or perhaps.
    bool is_dropping(NodeId file, std::uint64_t offset, std::uint64_t length, PageRanges Pages::*which) const PFS_REQUIRES(mutex);
  };
  /// Shape: false where nothing was dropped, or the time came first.
  bool drop_and_wait(NodeId file, std::uint64_t offset, std::uint64_t length, bool unread_too, Time deadline, const Drop& drop);
  /// Begins a drop of pages that were read, for a write.
  static void drop_for_write(const std::shared_ptr<State>& state, NodeId file, const Pages& read, const Drop& drop);

  const std::shared_ptr<State> state_;
};

}  // namespace pfs::fs
