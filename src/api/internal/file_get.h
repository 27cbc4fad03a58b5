#pragma once

#include <cstdint>

#include <grpcpp/support/sync_stream.h>

#include "base/names.h"
#include "base/result.h"
#include "pfs/v1/file.pb.h"
#include "store/live_trees.h"

namespace pfs::api {

/// Sends files and directories as GetFiles answers them. Made for one call; takes as much memory as
/// one message.
class FileSender {
 public:
  FileSender(store::LiveTrees& trees, grpc::ServerWriter<v1::GetFilesResponse>& writer)
      : trees_(trees), writer_(writer) {}

  /// One entry; a file with its bytes from `offset` on. Errors: kInvalid (past the end), kCancelled
  /// (the client hung up).
  Result<void> send(const store::NodePtr& node, const RepoPath& path, std::uint64_t offset);
  /// The same, and what is below it.
  Result<void> send_all(const store::NodePtr& node, const RepoPath& path);

 private:
  /// The bytes from `offset` to `size`, where the file ended when it was looked at.
  Result<void> send_bytes(const store::NodePtr& file, const RepoPath& path, std::uint64_t offset,
                          std::uint64_t size);
  /// Sends `message_` and empties it.
  Result<void> flush();

  store::LiveTrees& trees_;
  grpc::ServerWriter<v1::GetFilesResponse>& writer_;
  v1::GetFilesResponse message_;  // used again, so that its buffer is
};

}  // namespace pfs::api
