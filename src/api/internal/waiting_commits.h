#pragma once

#include <grpcpp/server_context.h>
#include <grpcpp/support/sync_stream.h>

#include "base/result.h"
#include "pfs/v1/commit.pb.h"
#include "store/store.h"
#include "trigger/pipelines.h"

namespace pfs::api {

// Calls that last until something happens: each holds a thread of gRPC's, and ends when its client
// has gone.

/// CommitService::FlushCommits: waits for the jobs downstream that there are when it begins, and of a
/// pipeline that has none by then for the first. `pipelines` may be null. Errors: kCancelled,
/// kNotFound, and kInvalid for a pipeline of whose jobs the newest of these failed.
Result<void> flush_commits(const store::Catalog& catalog, const trigger::Pipelines* pipelines,
                           const v1::FlushCommitsRequest& request,
                           const grpc::ServerContext& context,
                           grpc::ServerWriter<v1::CommitInfo>& writer);

/// CommitService::SubscribeCommits. Errors: kNotFound (the repo, or `from`), kInvalid (`from` is
/// no commit of the branch's history).
/// `pipelines`, which tell the progress, may be null.
Result<void> subscribe_commits(store::Store& store, const trigger::Pipelines* pipelines,
                               const v1::SubscribeCommitsRequest& request,
                               const grpc::ServerContext& context,
                               grpc::ServerWriter<v1::CommitInfo>& writer);

}  // namespace pfs::api
