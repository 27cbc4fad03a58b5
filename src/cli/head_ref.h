#pragma once

#include <string>

#include "base/names.h"
#include "base/result.h"

namespace pfs::cli {

/// A commit for a branch to be at: a branch or an id of its repo, `repo@` in front or not; a bare
/// `^3` or `.2` is of the branch itself. Errors: kInvalid, kNotPermitted (of another repo).
Result<CommitRef> parse_head(const BranchRef& branch, const std::string& text);

}  // namespace pfs::cli
