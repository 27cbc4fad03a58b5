#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "store/live_trees.h"
#include "trigger/internal/datum_tree.h"
#include "trigger/internal/log_book.h"
#include "trigger/internal/records.h"
#include "trigger/internal/spec.h"
#include "trigger/internal/worker_pool.h"

namespace pfs::trigger {

/// What is known of a datum's command before it runs, the same for each attempt.
struct DatumPlace {
  std::string id;                        ///< its hash, in hex
  std::string path;                      ///< as people see it
  std::vector<std::string> environment;  ///< NAME=value
  std::function<Result<DatumTree>()> view;  ///< a new tree of what it sees at /pfs
  std::function<Result<DatumOutput>(const DatumTree& view)> output;  ///< as collect_output()
};

/// Runs a job's datums, one attempt at a time: makes the view, runs the command, takes the output.
///
/// Thread-safe: what differs between two calls is the caller's.
class DatumExecution {
 public:
  DatumExecution(LogWriter& log, const PipelineSpec& spec) : log_(log), spec_(spec) {}

  struct Ended {
    PoolWork::Attempt attempt;
    DatumOutput output;  ///< kDone
    ProcessStats stats;  ///< with that of err_cmd
  };
  /// The `number`th attempt. The last one that fails is followed by `err_cmd`, where there is one. A container in which an earlier
  /// command has left nothing that could be started is replaced.
  /// Errors: kCancelled, kIo, …: nothing is known of the datum.
  Result<Ended> attempt(WorkerContainer& container, const DatumPlace& datum, std::uint64_t number,
                        const KeepGoing& keep_going) const;

 private:
  struct Command {
    const char* field;  ///< of the spec
    const std::vector<std::string>& arguments;
    const std::vector<std::string>& input;
  };
  /// What a command that did not start had not.
  enum class Missing {
    kNothing,       ///< it started
    kOwnDirectory,  ///< in the datum's view
    kOwnProgram,    ///< likewise, or what that needs of the image
    kOfImage,
  };
  struct Outcome {
    std::string failure;  ///< empty: it ended well
    DatumTree view;
    Missing missing = Missing::kNothing;
    bool lost = false;   ///< the container has died
    bool begun = true;   ///< unless there was none before the command ran
    bool no_room = false;  ///< the disk of the store is full, and the command was told so
    ProcessStats stats;
  };
  /// In a container that runs; where that cannot start the command, and it may be an earlier one's doing, in a fresh one.
  Result<Outcome> run(WorkerContainer& container, const DatumPlace& datum, const Command& command,
                      const KeepGoing& keep_going) const;
  Result<Outcome> run_once(WorkerContainer& container, const DatumPlace& datum, const Command& command,
                           const KeepGoing& keep_going) const;
  Missing missing_of(const worker::CommandEnd& end, const Command& command) const;
  std::string failure_of(const worker::CommandEnd& end, const Command& command) const;
  /// What becomes of a datum whose last attempt has failed, as `why` says. `stats`: err_cmd's are added.
  Result<PoolWork::Attempt> recover(WorkerContainer& container, const DatumPlace& datum, const std::string& why,
                                    const KeepGoing& keep_going, ProcessStats& stats) const;

  LogWriter& log_;
  const PipelineSpec& spec_;
};

}  // namespace pfs::trigger
