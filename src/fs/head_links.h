#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "base/names.h"
#include "base/result.h"
#include "base/sync.h"
#include "fs/ids.h"

namespace pfs::fs {

/// What a symlink made at the top of `branch` means: a retarget to this, or (nullopt) an ordinary
/// symlink.
///
/// `ln -s data@staging /pfs/data@master` reaches us as a symlink of that name with that body,
/// because the destination is a directory. Errors: kNotPermitted (the name is reserved and the body
/// is another; a ref of another repo), kInvalid (the name is reserved and no ref). Source:
/// docs/semantics.md S17, S18.
Result<std::optional<CommitRef>> retarget_by_symlink(const BranchRef& branch, std::string_view name,
                                                     std::string_view body);

/// Names at the top of a branch that nothing but a retargeting symlink may have: `<its repo>@…` and
/// `.pfs`.
bool is_reserved_at_top(const BranchRef& branch, std::string_view name);

/// The ref that a symlink put in the place of a HEAD pointer means: the last part of its body.
/// Errors: kInvalid, kNotPermitted (of another repo than `branch`).
Result<CommitRef> ref_of_pointer(const BranchRef& branch, std::string_view body);

/// What tools do beside a HEAD pointer on their way to replace it: GNU ln makes a symlink under a
/// temporary name and renames it over the pointer; BusyBox's unlinks the pointer and makes it anew.
/// Neither is a change until the last step.
///
/// Thread-safe. Entries are forgotten after a minute.
class PassingLinks {
 public:
  /// A symlink under a temporary name in directory `directory`. Errors: kNoSpace (too many of
  /// them).
  Result<void> put(NodeId directory, std::string_view name, std::string body) PFS_EXCLUDES(mutex_);
  std::optional<std::string> body(NodeId directory, std::string_view name) const
      PFS_EXCLUDES(mutex_);
  /// Forgets the temporary symlink, or that the pointer was unlinked.
  void remove(NodeId directory, std::string_view name) PFS_EXCLUDES(mutex_);

  /// Process `pid` has unlinked the pointer `name`, and will not see it until it has made it again.
  void hide(NodeId directory, std::string_view name, std::int32_t pid) PFS_EXCLUDES(mutex_);
  bool is_hidden_from(NodeId directory, std::string_view name, std::int32_t pid) const
      PFS_EXCLUDES(mutex_);

 private:
  using Key = std::pair<NodeId, std::string>;
  using Instant = std::chrono::steady_clock::time_point;
  struct Passing {
    std::string body;
    std::int32_t hidden_from = 0;  ///< not 0: a pointer that this process has unlinked
    Instant since;
  };
  const Passing* find(NodeId directory, std::string_view name) const PFS_REQUIRES(mutex_);
  bool make_room() PFS_REQUIRES(mutex_);

  mutable Mutex mutex_{LockRank::kLeaf};
  std::map<Key, Passing> links_ PFS_GUARDED_BY(mutex_);
};

}  // namespace pfs::fs
