#include "cli/head_ref.h"

#include <fmt/format.h>

namespace pfs::cli {

Result<CommitRef> parse_head(const BranchRef& branch, const std::string& text) {
  const bool of_itself = text.find_first_of("^~.") == 0;
  if (text.find('@') == std::string::npos) {
    return CommitRef::parse_in(branch.repo, of_itself ? branch.branch.str() + text : text);
  }
  PFS_TRY_ASSIGN(auto head, CommitRef::parse(text));
  if (head.repo != branch.repo) {
    return Error{Code::kNotPermitted,
                 fmt::format("branch {}: {} is of another repo; a HEAD stays in its repo",
                             branch.str(), text)};
  }
  return head;
}

}  // namespace pfs::cli
