#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "api/internal/callers.h"
#include "api/internal/file_changes.h"
#include "api/internal/staged_change.h"
#include "base/clock.h"
#include "base/result.h"
#include "pfs/v1/file.pb.h"
#include "store/store.h"

namespace pfs::api {

/// One PutFiles call: what it sends is staged, and put in place at its end. A call that is cut off
/// has changed nothing.
///
/// Made for one call; not thread-safe. Takes as much memory as one message, and StagedChange.
class FilePut {
 public:
  FilePut(store::Store& store, FileChanges& changes)
      : store_(store), caller_(changes.caller()), changes_(changes) {}

  /// The next message. Errors: kInvalid (out of order), and as of LiveTrees.
  Result<void> take(const v1::PutFilesRequest& message);
  bool complete() const { return complete_; }
  /// Puts it all in place and commits. Call it once complete().
  Result<void> finish(v1::PutFilesResponse& response);

 private:
  Result<void> begin(const v1::PutFilesRequest::Target& target);
  Result<void> start(const v1::PutFilesRequest::Start& start);
  Result<void> start_again(const RepoPath& path, const v1::PutFilesRequest::Start& start);
  Result<void> keep(const RepoPath& path, const v1::PutFilesRequest::Start& start);
  Result<void> write(std::string_view data);
  /// No more bytes come for the file that was started last: it gets its time.
  Result<void> end_file();

  store::Store& store_;
  const Caller caller_;
  FileChanges& changes_;
  bool complete_ = false;
  std::optional<StagedChange> change_;  // set by the first message
  store::NodePtr file_;                 // the one whose bytes are coming
  std::optional<Timestamp> modified_;   // when it was
  std::uint64_t offset_ = 0;
  RepoPath first_;                      // that is no directory
  std::uint64_t files_ = 0;
  std::uint64_t bytes_ = 0;
};

}  // namespace pfs::api
