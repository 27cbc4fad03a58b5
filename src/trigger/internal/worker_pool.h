#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/sync.h"
#include "trigger/internal/worker_container.h"
#include "trigger/pipelines.h"

namespace pfs::trigger {

/// How an attempt at a datum ended.
enum class AttemptHow {
  kDone,
  kAgain,        ///< it failed, and is tried once more
  kNotBegun,     ///< there was no container for its command, or for its err_cmd: it is tried again, and that was no try
  kFailed,       ///< for good
  kRecovered,    ///< for good, but its err_cmd ended well
  kCannotStart,  ///< and so cannot any other datum's command
  kCutOff,       ///< the work was left while it was being processed
};

/// What a pool works at: datums by their number, from 0 on.
class PoolWork {
 public:
  virtual ~PoolWork() = default;

  virtual std::size_t count() const = 0;
  /// How a person names a datum: its path and its hash.
  virtual std::string path(std::size_t datum) const = 0;
  virtual std::string hash(std::size_t datum) const = 0;
  /// Whether a person who says this means it: its hash, or what is of one of its files.
  virtual bool is_named(std::size_t datum, const std::string& word) const = 0;

  struct Attempt {
    AttemptHow how = AttemptHow::kDone;
    std::string why;  ///< unless it is done
  };
  /// The `number`th attempt (1: the first) at a datum, in a container that runs. Called by several threads at once, each
  /// with a container of its own. Errors: kCancelled (`keep_going` said no), and what ends the whole work.
  virtual Result<Attempt> attempt(WorkerContainer& container, std::size_t datum, std::uint64_t number,
                                  const KeepGoing& keep_going) = 0;
  /// A datum has ended, once for each that was begun; kAgain and kNotBegun are not told. Called by the thread that called run().
  virtual Result<void> ended(std::size_t datum, const Attempt& attempt) = 0;
  /// No container can be started; the work goes on when one can. Empty: one can. By the thread that called run().
  virtual void waiting(const std::string& for_what) = 0;
};

/// The containers of one pipeline. They live across datums and jobs; each works at one datum at a time. A datum whose
/// container is lost, or does not start, goes to another.
///
/// run(), prepare() and stop() are one thread's, the driver's; the rest is thread-safe.
class WorkerPool {
 public:
  WorkerPool(const WorkerHouse& house, const Clock& clock, std::string pipeline)
      : house_(house), clock_(clock), pipeline_(std::move(pipeline)) {}
  WorkerPool(const WorkerPool&) = delete;
  WorkerPool& operator=(const WorkerPool&) = delete;
  ~WorkerPool() { stop(); }

  /// Starts all the containers that the spec asks for, so that the next job need not wait for them.
  /// Errors: as WorkerContainer::ensure().
  Result<void> prepare(const PipelineSpec& spec, const KeepGoing& keep_going);

  /// Returns when each datum has ended. Errors: kCancelled (the containers that worked are gone), those of `work`.
  Result<void> run(const PipelineSpec& spec, PoolWork& work, const KeepGoing& keep_going) PFS_EXCLUDES(mutex_);

  /// Stops every container.
  void stop() PFS_EXCLUDES(mutex_);

  /// Whether a container runs.
  bool warm() const PFS_EXCLUDES(mutex_);
  /// Why no container could be started the last time; empty when one could.
  std::string trouble() const PFS_EXCLUDES(mutex_);
  /// What the start of a container is at that takes long; empty when none is.
  std::string preparing() const PFS_EXCLUDES(mutex_);
  /// What each worker does.
  std::vector<WorkerInfo> workers() const PFS_EXCLUDES(mutex_);

  /// Ends the attempts at datums that a filter (each a path or a hash, all must fit) names; they begin again, and this
  /// is none of their tries. Returns how many.
  std::size_t restart(const std::vector<std::string>& filter) PFS_EXCLUDES(mutex_);

 private:
  /// A datum that is still to be done.
  struct Item {
    std::size_t datum = 0;
    std::uint64_t number = 1;
  };
  struct Ended {
    std::size_t datum = 0;
    PoolWork::Attempt attempt;
  };
  /// A worker as others may see it.
  struct Place {
    bool runs = false;
    std::optional<Item> item;
    Timestamp since;
    bool restart = false;
    std::string trouble;
    std::string preparing;
  };

  /// Starts threads for `workers` workers, each with its number, and waits for them. Fewer where the system gives no more.
  /// Errors: kUnavailable (none).
  Result<void> with_threads(std::size_t workers, const std::function<void(std::size_t worker)>& body,
                            const std::function<void()>& meanwhile);
  void make_room(std::size_t workers) PFS_EXCLUDES(mutex_);
  void show_preparing(std::size_t worker, const std::string& what) PFS_EXCLUDES(mutex_);
  /// The container of a worker runs, and its place says so.
  Result<void> ensure(std::size_t worker, const PipelineSpec& spec, const KeepGoing& keep_going) PFS_EXCLUDES(mutex_);

  /// A worker's thread: takes datums until there are none.
  void work(std::size_t worker, const PipelineSpec& spec, PoolWork& work, const KeepGoing& keep_going)
      PFS_EXCLUDES(mutex_);
  bool wait_for_item() PFS_EXCLUDES(mutex_);
  std::optional<Item> take(std::size_t worker) PFS_EXCLUDES(mutex_);
  /// False: wait before the next is taken.
  bool put_back(std::size_t worker, const Item& item, Result<PoolWork::Attempt> attempt) PFS_EXCLUDES(mutex_);
  bool pause(std::chrono::milliseconds time) PFS_EXCLUDES(mutex_);
  void halt(Error why) PFS_EXCLUDES(mutex_);
  bool halted() const PFS_EXCLUDES(mutex_);
  /// What the caller of run() does: tells `work` of each end.
  void tell(PoolWork& work, const KeepGoing& keep_going) PFS_EXCLUDES(mutex_);

  const WorkerHouse& house_;
  const Clock& clock_;
  const std::string pipeline_;
  /// One for each worker, used by that worker's thread while there is one.
  std::vector<std::unique_ptr<WorkerContainer>> containers_;

  mutable Mutex mutex_{LockRank::kLeaf};
  Condition changed_;
  std::vector<Place> places_ PFS_GUARDED_BY(mutex_);  ///< as many as containers
  PoolWork* work_ PFS_GUARDED_BY(mutex_) = nullptr;   ///< of the run() that is under way
  std::deque<Item> queue_ PFS_GUARDED_BY(mutex_);
  std::deque<Ended> ended_ PFS_GUARDED_BY(mutex_);
  std::size_t left_ PFS_GUARDED_BY(mutex_) = 0;  ///< datums that have not ended
  bool halt_ PFS_GUARDED_BY(mutex_) = false;
  std::optional<Error> error_ PFS_GUARDED_BY(mutex_);  ///< that ends the run
};

}  // namespace pfs::trigger
