#pragma once

#include <optional>
#include <string_view>

#include "base/names.h"
#include "base/result.h"

namespace pfs::cli {

/// A commit for a branch to be at, as an argument: a branch or an id of its repo, `repo@` in front
/// or not; a bare `^3` or `.2` is of the branch itself.
struct HeadRef {
  std::optional<CommitRef> commit;  ///< without a repo's name where none was said; none: an empty argument
  bool of_itself = false;           ///< and then the branch in it stands for that one

  /// Errors: kInvalid.
  static Result<HeadRef> parse(std::string_view text);
  /// What it is for this branch. Errors: kNotPermitted (of another repo).
  Result<std::optional<CommitRef>> of(const BranchRef& branch) const;
};

}  // namespace pfs::cli
