#pragma once

#include <optional>
#include <string>

#include "base/names.h"
#include "base/result.h"
#include "pfs/v1/file.pb.h"
#include "store/store.h"

namespace pfs::api {

/// Names as they come over the wire, checked. Errors: kInvalid, kNameTooLong.
Result<BranchRef> branch_ref(const std::string& repo, const std::string& branch);
Result<CommitRef> commit_ref(const std::string& repo, const std::string& ref);

/// A checked v1::FileRef.
struct FileRef {
  CommitRef commit;
  RepoPath path;

  std::string str() const { return commit.str() + ":" + path.str(); }
};
Result<FileRef> file_ref(const v1::FileRef& ref);

/// The key of a branch's record in the RefDb, whose version tells whether the branch has changed.
/// Source: docs/format.md "Refs".
std::string branch_record(const BranchRef& ref);

/// The branch of `repo` whose next commit has that id.
Result<std::optional<BranchRef>> branch_with_open(store::Catalog& catalog, const RepoName& repo,
                                                  const CommitId& open);

/// A refusal to change what a finished commit holds.
Error never_changes(const CommitRef& ref);

/// The branch whose live content `ref` names, by its name or by the id of its open commit. Errors:
/// kReadOnly (it names a finished commit), kNotFound (no such commit). It is not looked whether a
/// branch that is named is there.
Result<BranchRef> live_branch(store::Catalog& catalog, const CommitRef& ref);

/// Success where `commit` is the branch's HEAD or before it. Errors: kInvalid, kNotFound (the branch).
Result<void> check_in_history(const store::Catalog& catalog, const BranchRef& branch,
                              const store::Commit& commit);

/// The tree that a ref means to its readers: a branch's live content, or a commit's; the id of an
/// open commit is its branch's live content, too. Errors: kNotFound. Source: docs/semantics.md S1
/// to S4.
Result<store::TreePtr> tree_of(store::Store& store, const CommitRef& ref);

}  // namespace pfs::api
