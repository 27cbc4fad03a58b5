#pragma once

#include "api/internal/downstream.h"
#include "pfs/v1/commit.pb.h"
#include "store/types.h"

namespace pfs::api {

/// A finished commit as it goes over the wire; without its progress.
v1::CommitInfo info_of(const store::Commit& commit);
void set_progress(const Downstream::Progress& progress, v1::CommitInfo& info);

}  // namespace pfs::api
