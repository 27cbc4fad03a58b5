#pragma once

#include <cstdint>

#include <grpcpp/support/byte_buffer.h>
#include <grpcpp/support/slice.h>
#include <grpcpp/support/sync_stream.h>

#include "base/names.h"
#include "base/result.h"
#include "pfs/v1/file.pb.h"
#include "store/live_trees.h"

namespace pfs::api {

/// A GetFiles call: messages that are encoded already go out of it.
using FileStream = grpc::ServerSplitStreamer<v1::GetFilesRequest, grpc::ByteBuffer>;

/// Sends files and directories as GetFiles answers them. Made for one call.
///
/// A file's bytes are read to where they are sent from: protobuf, which would copy them, writes only what stands before them.
class FileSender {
 public:
  FileSender(store::LiveTrees& trees, FileStream& stream) : trees_(trees), stream_(stream) {}

  /// One entry; a file with its bytes from `offset` on. Errors: kInvalid (past the end), kCancelled
  /// (the client hung up).
  Result<void> send(const store::NodePtr& node, const RepoPath& path, std::uint64_t offset);
  /// The same, and what is below it.
  Result<void> send_all(const store::NodePtr& node, const RepoPath& path);

 private:
  /// The bytes from `offset` to `size`, where the file ended when it was looked at. The first message tells what file it is.
  Result<void> send_bytes(const store::NodePtr& file, const RepoPath& path, const v1::FileInfo& info,
                          std::uint64_t offset, std::uint64_t size);
  /// Sends a message with these fields. Errors: kCancelled.
  Result<void> send_message(const v1::FileInfo* info, const grpc::Slice* data);

  store::LiveTrees& trees_;
  FileStream& stream_;
};

}  // namespace pfs::api
