#include "store/repo/branch_claims.h"

#include <algorithm>

namespace pfs::store {

BranchClaims::Claim BranchClaims::claim(std::set<BranchRef> branches) {
  Lock lock(mutex_);
  while (any_taken(branches)) released_.wait(mutex_);
  taken_.insert(branches.begin(), branches.end());
  return {*this, std::move(branches)};
}

void BranchClaims::await(const BranchRef& branch) {
  Lock lock(mutex_);
  while (taken_.contains(branch)) released_.wait(mutex_);
}

bool BranchClaims::is_taken(const BranchRef& branch) const {
  Lock lock(mutex_);
  return taken_.contains(branch);
}

bool BranchClaims::any_taken(const std::set<BranchRef>& branches) const {
  return std::any_of(branches.begin(), branches.end(), [&](const BranchRef& branch) PFS_NO_ANALYSIS { return taken_.contains(branch); });
}

void BranchClaims::Claim::release() {
  if (claims_ == nullptr) return;
  {
    Lock lock(claims_->mutex_);
    for (const auto& branch : branches_) claims_->taken_.erase(branch);
  }
  claims_->released_.notify_all();
  claims_ = nullptr;
}

}  // namespace pfs::store
