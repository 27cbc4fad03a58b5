#include "support/store_world.h"

#include <span>

#include "support/must.h"

namespace pfs::test {

using store::NodePtr;

BranchRef branch_ref(const std::string& text) { return must(BranchRef::parse(text)); }
CommitRef commit_ref(const std::string& text) { return must(CommitRef::parse(text)); }

NamedBranch::NamedBranch(const std::string& text) : BranchRef(branch_ref(text)) {}

StoreWorld::StoreWorld(store::StoreOptions options, std::initializer_list<BranchRef> branches) : options_(std::move(options)) {
  options_.path = directory_ / "store";
  options_.clock = &clock_;
  open();
  for (const auto& branch : branches) make_branch(branch);
}

store::StoreOptions StoreWorld::on_request() {
  store::StoreOptions options;
  options.automatic_commits = false;
  return options;
}

void StoreWorld::open() {
  store_.reset();
  store_ = must(store::Store::open(options_));
  must(store_->resume());
}

void StoreWorld::make_branch(const NamedBranch& branch) { must(catalog().create_branch(branch, std::nullopt, true)); }

NodePtr StoreWorld::root(const NamedBranch& branch) { return trees().root(must(trees().branch(branch))); }

NodePtr StoreWorld::at(const std::string& path, const NamedBranch& branch) {
  return must(trees().walk(root(branch), must(RepoPath::parse(path))));
}

NodePtr StoreWorld::make(const NodePtr& directory, const std::string& name, store::Kind kind, const std::string& bytes) {
  store::MakeRequest request;
  request.kind = kind;
  auto node = must(trees().make(directory, name, request));
  if (!bytes.empty()) must(trees().write(node, 0, as_bytes(bytes)));
  return node;
}

NodePtr StoreWorld::file(const NodePtr& directory, const std::string& name) {
  store::MakeRequest request;
  request.exclusive = false;
  return must(trees().make(directory, name, request));
}

std::string StoreWorld::text(const NodePtr& file) {
  std::string bytes(must(trees().stat(file)).size, '\0');
  bytes.resize(must(trees().read(file, 0, std::as_writable_bytes(std::span(bytes)))));
  return bytes;
}

std::string StoreWorld::text(const NodePtr& directory, const std::string& name) {
  const auto file = trees().lookup(directory, name);
  return file ? text(*file) : "(none)";
}

CommitId StoreWorld::finish(const NamedBranch& branch) { return must(catalog().finish(branch, {})).commit; }

std::optional<CommitId> StoreWorld::head(const NamedBranch& branch) { return must(catalog().branch(branch)).head; }

store::Commit StoreWorld::head_commit(const NamedBranch& branch) { return must(catalog().commit(head(branch).value())); }

NodePtr StoreWorld::head_root(const NamedBranch& branch) { return trees().root(must(trees().commit(head_commit(branch)))); }

}  // namespace pfs::test
