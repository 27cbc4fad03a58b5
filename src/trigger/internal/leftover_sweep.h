#pragma once

#include <chrono>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "base/result.h"
#include "base/sync.h"
#include "trigger/internal/start_records.h"

namespace pfs::trigger {

struct SweepPace {
  std::chrono::milliseconds look{1'000};     ///< before the first look; the next ones follow after ever longer
  std::chrono::milliseconds settle{10'000};  ///< what an engine needs to end what a client that is gone has asked it for
};

/// Removes the containers of earlier starts of pfsd, those included that are made while it looks: a pfsd that is killed leaves
/// behind the `podman run` that it had begun, which goes on, and docker's daemon goes on without its client.
///
/// Owns a thread, and no more than one is made; the destructor ends it, and leaves what is not done to the next start.
class LeftoverSweep {
 public:
  /// What is asked about a start. Called by the thread, without locks.
  struct Engine {
    std::function<bool(const std::string& start)> is_asked;        ///< a process is left that may have it make a container
    std::function<Result<void>(const std::string& start)> remove;  ///< all of its containers that are there
  };

  /// Begins, where there are records of earlier starts.
  LeftoverSweep(const StartRecords& records, Engine engine, SweepPace pace = {});
  LeftoverSweep(const LeftoverSweep&) = delete;
  LeftoverSweep& operator=(const LeftoverSweep&) = delete;
  ~LeftoverSweep() PFS_EXCLUDES(mutex_);

 private:
  void work();
  bool some_are_asked() const;
  Result<void> remove_all() const;
  /// False: it is to end.
  bool rest(std::chrono::milliseconds time) PFS_EXCLUDES(mutex_);

  const StartRecords& records_;
  const Engine engine_;
  const SweepPace pace_;
  const std::vector<std::string> starts_;

  Mutex mutex_{LockRank::kLeaf};
  Condition ended_;
  bool end_ PFS_GUARDED_BY(mutex_) = false;

  std::thread thread_;  ///< last: it uses all of the above
};

}  // namespace pfs::trigger
