#pragma once

#include <cstddef>
#include <initializer_list>
#include <memory>
#include <optional>
#include <string>

#include "base/clock.h"
#include "store/store.h"
#include "support/temporary_directory.h"

namespace pfs::test {

/// A branch as tests say it: `data@master`, or its reference.
struct NamedBranch : BranchRef {
  NamedBranch(BranchRef ref) : BranchRef(std::move(ref)) {}  // NOLINT(google-explicit-constructor): what it is for
  NamedBranch(const std::string& text);                      // NOLINT(google-explicit-constructor)
  NamedBranch(const char* text) : NamedBranch(std::string(text)) {}  // NOLINT(google-explicit-constructor)
};

BranchRef branch_ref(const std::string& text);
CommitRef commit_ref(const std::string& text);

/// A store in a directory of its own, and short ways to fill it, to commit and to look at it. What must succeed throws
/// with the error's words when it does not, which fails the test.
class StoreWorld {
 public:
  /// Commits are made on request only.
  explicit StoreWorld(std::initializer_list<BranchRef> branches = {}) : StoreWorld(on_request(), branches) {}
  /// `options` but for its path and clock.
  explicit StoreWorld(store::StoreOptions options, std::initializer_list<BranchRef> branches = {});
  StoreWorld(const StoreWorld&) = delete;
  StoreWorld& operator=(const StoreWorld&) = delete;

  static store::StoreOptions on_request();

  /// Opens the store again. Also as after a kill: nothing is brought up to date on the way out.
  void open();

  store::Store& store() { return *store_; }
  store::Catalog& catalog() { return store_->catalog(); }
  store::LiveTrees& trees() { return store_->trees(); }
  const std::string& path() const { return options_.path; }

  void make_branch(const NamedBranch& branch);
  store::NodePtr root(const NamedBranch& branch = "data@master");
  /// What is at `path`, which must be there.
  store::NodePtr at(const std::string& path, const NamedBranch& branch = "data@master");
  /// A new name, with `bytes` in it unless they are none.
  store::NodePtr make(const store::NodePtr& directory, const std::string& name, store::Kind kind = store::Kind::kFile,
                      const std::string& bytes = "");
  /// The file of this name, made if it is not there.
  store::NodePtr file(const store::NodePtr& directory, const std::string& name);
  /// All bytes of a file.
  std::string text(const store::NodePtr& file);
  /// And of the one of this name; `(none)` where there is none.
  std::string text(const store::NodePtr& directory, const std::string& name);

  /// Errors are the test's end.
  CommitId finish(const NamedBranch& branch = "data@master");
  std::optional<CommitId> head(const NamedBranch& branch = "data@master");
  /// HEAD's commit, which must be there, and the top of its tree.
  store::Commit head_commit(const NamedBranch& branch = "data@master");
  store::NodePtr head_root(const NamedBranch& branch = "data@master");

 private:
  TemporaryDirectory directory_;
  SystemClock clock_;  // before the store, whose threads ask it to the end
  store::StoreOptions options_;
  std::unique_ptr<store::Store> store_;
};

}  // namespace pfs::test
