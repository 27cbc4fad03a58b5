#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "api/client/connection.h"
#include "base/clock.h"
#include "base/result.h"

namespace pfs::client {

struct DaemonStatus {
  /// A branch with something to commit, or with a commit started by hand.
  struct OpenCommit {
    std::string repo;
    std::string branch;
    std::string id;
    bool by_hand = false;
    bool changed = false;
    std::string description;
    Timestamp last_change;  ///< when `changed`
    struct BeingWritten {
      std::string path;
      int pid = 0;          ///< who opened it for writing last; 0: nobody whom the mount knows
      std::string process;  ///< its number and command, in words
    };
    std::vector<BeingWritten> being_written;
    std::string finishing;  ///< a commit that is frozen and not yet published
    Timestamp since;
    std::string policy;     ///< auto, close or manual
    std::string waits_for;  ///< in words
  };

  std::string version;
  std::string store_id;
  std::uint64_t total_bytes = 0;
  std::uint64_t free_bytes = 0;
  std::string container_runtime;  ///< what was found when it was tried last; empty: this daemon runs no pipelines
  std::vector<OpenCommit> open_commits;
};

class Admin {
 public:
  explicit Admin(const Connection& connection) : connection_(connection) {}

  /// The daemon's version.
  Result<std::string> version() const;
  /// Of the store that it serves; empty: a daemon that does not tell.
  Result<std::string> store_id() const;
  Result<DaemonStatus> status() const;
  /// Has it try to start a container: the engine and with what settings it works; empty: this daemon runs no pipelines.
  /// Errors: kUnavailable (says what was tried and what to do), and the connection's.
  Result<std::string> probe_containers() const;

 private:
  const Connection& connection_;
};

}  // namespace pfs::client
