#include "api/internal/commit_info.h"

#include "api/wire/time.h"

namespace pfs::api {

v1::CommitInfo info_of(const store::Commit& commit) {
  v1::CommitInfo info;
  info.set_id(commit.id.hex());
  info.set_repo(commit.repo.str());
  info.set_branch(commit.branch.str());
  if (commit.parent) info.set_parent(commit.parent->hex());
  set_time(info.mutable_started(), commit.started);
  set_time(info.mutable_finished(), commit.finished);
  info.set_size(commit.root.totals.bytes);
  info.set_files(commit.root.totals.files);
  info.set_author(commit.author);
  info.set_description(commit.description);
  for (const auto& cause : commit.provenance) {
    auto* out = info.add_provenance();
    out->set_repo(cause.branch.repo.str());
    out->set_branch(cause.branch.branch.str());
    out->set_commit(cause.commit.hex());
  }
  return info;
}

void set_progress(const Downstream::Progress& progress, v1::CommitInfo& info) {
  info.mutable_progress()->set_succeeded(progress.succeeded);
  info.mutable_progress()->set_pending(progress.pending);
  info.mutable_progress()->set_failed(progress.failed);
}

}  // namespace pfs::api
