#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string_view>
#include <vector>

#include "api/internal/callers.h"
#include "api/internal/live_branch.h"
#include "base/result.h"
#include "base/sync.h"
#include "pfs/v1/file.pb.h"
#include "store/store.h"

namespace pfs::api {

/// One PutFiles call: its files are written into a tree of nobody's, under the names that they will
/// have, and grafted onto the branch by reference once all of them are there. A call that is cut
/// off has changed nothing.
///
/// Made for one call; not thread-safe. Takes as much memory as one message.
class FilePut {
 public:
  /// `append_mutex`: one for all calls, held while a file is made longer.
  FilePut(store::Store& store, const Caller& caller, Mutex& append_mutex)
      : store_(store), caller_(caller), append_mutex_(append_mutex) {}

  /// The next message. Errors: kInvalid (out of order), and as of LiveTrees.
  Result<void> take(const v1::PutFilesRequest& message);
  bool complete() const { return complete_; }
  /// Grafts and commits. Call it once complete().
  Result<void> finish(v1::PutFilesResponse& response);

 private:
  Result<void> begin(const v1::PutFilesRequest::Target& target);
  Result<void> start_file(const v1::PutFilesRequest::Start& start);
  Result<void> write(std::string_view data);

  /// Calls `visit` for each entry of `staged` beside what `live` has under that name (nullptr:
  /// nothing), descending where both are directories. Errors: kIsDirectory, kNotDirectory, where a
  /// file would meet a directory.
  using PairVisit =
      std::function<Result<void>(const store::NodePtr& staged, const store::NodePtr& live_directory,
                                 const std::string& name, const store::NodePtr& live)>;
  Result<void> for_each_pair(const store::NodePtr& staged, const store::NodePtr& live,
                             const PairVisit& visit);
  Result<void> graft(const store::NodePtr& staged, const store::NodePtr& live_directory,
                     const std::string& name, const store::NodePtr& live);
  /// A new file of the live one's bytes and the staged one's behind them takes the live one's
  /// place.
  Result<void> append(const store::NodePtr& staged, const store::NodePtr& live_directory,
                      const std::string& name, std::vector<store::NodePtr>& losers)
      PFS_REQUIRES(append_mutex_);

  store::Store& store_;
  const Caller caller_;
  Mutex& append_mutex_;
  bool append_ = false;
  bool complete_ = false;
  std::optional<LiveBranch> branch_;  // set by the first message
  store::TreePtr staging_;
  store::NodePtr file_;  // the one whose bytes are coming
  std::uint64_t offset_ = 0;
  std::uint64_t files_ = 0;
  std::uint64_t bytes_ = 0;
};

}  // namespace pfs::api
