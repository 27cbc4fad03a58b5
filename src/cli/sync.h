#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "api/client/files.h"
#include "base/names.h"
#include "base/result.h"
#include "cli/progress.h"

namespace pfs::cli {

struct SyncOptions {
  bool dry_run = false;
  bool checksum = false;  ///< files are compared by their bytes, whatever size and time say
};

struct SyncCounts {
  std::uint64_t put = 0;      ///< new and changed ones
  std::uint64_t changed = 0;  ///< in mode or time only
  std::uint64_t removed = 0;
  std::string commit;  ///< that was made; empty: none
};

/// The branch gets what the local directory has, in one commit; nothing differs: no commit.
/// Errors: of the connection; of what cannot be read, and then nothing is changed.
Result<SyncCounts> sync_up(const client::Connection& connection, const std::string& directory,
                           const CommitRef& ref, const RepoPath& path, const SyncOptions& options,
                           Progress& progress);

/// The local directory gets what the branch or commit has; of a branch with nothing to commit that is HEAD as it is when
/// this begins. A file is seen under its name when all
/// of it is there; an interrupted run leaves old or new files, never parts.
Result<SyncCounts> sync_down(const client::Connection& connection, const CommitRef& named,
                             const RepoPath& path, const std::string& directory,
                             const SyncOptions& options, Progress& progress);

/// The parts of `path` behind those of `top`.
std::vector<std::string> parts_below(const RepoPath& top, const RepoPath& path);
/// SHA-256 of a local file's bytes.
Result<std::string> file_digest(const std::string& path);

}  // namespace pfs::cli
