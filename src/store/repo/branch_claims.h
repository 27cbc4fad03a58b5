#pragma once

#include <set>

#include "base/sync.h"
#include "store/types.h"

namespace pfs::store {

/// Which branches are being finished, moved or deleted: one operation at a time on a branch, any number on different ones.
///
/// Thread-safe. An operation claims all of its branches at once and claims once, so that claims never wait for one
/// another in a ring. No mutex is held while a claim is.
class BranchClaims {
 public:
  /// Holds branches until it ends.
  class Claim {
   public:
    Claim(BranchClaims& claims, std::set<BranchRef> branches) : claims_(&claims), branches_(std::move(branches)) {}
    Claim(Claim&& other) noexcept : claims_(std::exchange(other.claims_, nullptr)), branches_(std::move(other.branches_)) {}
    Claim& operator=(Claim&&) = delete;
    Claim(const Claim&) = delete;
    Claim& operator=(const Claim&) = delete;
    ~Claim() { release(); }

    const std::set<BranchRef>& branches() const { return branches_; }
    void release();

   private:
    BranchClaims* claims_;
    std::set<BranchRef> branches_;
  };

  /// Waits until none of them is claimed, and claims them.
  Claim claim(std::set<BranchRef> branches);
  bool is_taken(const BranchRef& branch) const;
  /// Waits until the branch is not claimed.
  void await(const BranchRef& branch);

 private:
  bool any_taken(const std::set<BranchRef>& branches) const PFS_REQUIRES(mutex_);

  mutable Mutex mutex_{LockRank::kPublish};
  Condition released_;
  std::set<BranchRef> taken_ PFS_GUARDED_BY(mutex_);
};

}  // namespace pfs::store
