#include "api/internal/file_changes.h"

#include "api/internal/refs.h"

namespace pfs::api {

Result<BranchRef> FileChanges::target(const CommitRef& ref) const {
  const bool may_be_open = ref.id && ref.ancestry.direction == Ancestry::Direction::kNone;
  if (transaction_ && may_be_open) {
    PFS_TRY_ASSIGN(const auto branch, transaction_->with_open(ref));
    if (branch) return *branch;
  }
  return live_branch(store_->catalog(), ref);
}

Result<StagedChange> FileChanges::begin(const BranchRef& ref,
                                        const StagedChange::Options& options) const {
  if (!transaction_) return StagedChange::begin(*store_, ref, caller_, options, *append_mutex_);
  const bool make_branch = options.if_missing == LiveBranch::IfMissing::kCreate;
  PFS_TRY_ASSIGN(auto view, transaction_->view(ref, make_branch));
  return StagedChange::begin_in(*store_, ref, caller_, options, std::move(view));
}

Result<CommitId> FileChanges::finish(StagedChange& change, std::string line) const {
  if (!transaction_) return change.finish();
  v1::RefRequest request;
  PFS_TRY_ASSIGN(*request.mutable_files(), change.stored());
  request.mutable_files()->set_line(std::move(line));
  request.set_author(caller_.name());
  return transaction_->add(request);
}

}  // namespace pfs::api
