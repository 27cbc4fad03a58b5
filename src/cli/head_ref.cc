#include "cli/head_ref.h"

#include <string>

#include <fmt/format.h>

namespace pfs::cli {

Result<HeadRef> HeadRef::parse(std::string_view text) {
  HeadRef head;
  if (text.empty()) return head;  // scripts say --head "" for none
  head.of_itself = text.find_first_of("^~.") == 0;
  if (text.find('@') != text.npos) {
    PFS_TRY_ASSIGN(head.commit, CommitRef::parse(text));
    return head;
  }
  const auto name = (head.of_itself ? "itself" : "") + std::string(text);
  PFS_TRY_ASSIGN(head.commit, CommitRef::parse_in(RepoName(), name));
  return head;
}

Result<std::optional<CommitRef>> HeadRef::of(const BranchRef& branch) const {
  auto found = commit;
  if (!found) return found;
  if (found->repo == RepoName()) found->repo = branch.repo;
  if (of_itself) found->branch = branch.branch;
  if (found->repo == branch.repo) return found;
  return Error{Code::kNotPermitted,
               fmt::format("branch {}: {} is of another repo; a HEAD stays in its repo",
                           branch.str(), found->str())};
}

}  // namespace pfs::cli
