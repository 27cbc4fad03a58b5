#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/file.h"
#include "store/store.h"
#include "support/must.h"

namespace pfs::test {

/// Changes to a store, as somebody at a shell makes them. Throws with the store's words.
class Hand {
 public:
  explicit Hand(store::Store& store) : store_(store), trees_(store.trees()) {}

  static BranchRef ref(const std::string& branch) { return must(BranchRef::parse(branch)); }
  store::Catalog& catalog() { return store_.catalog(); }
  store::LiveTrees& trees() { return trees_; }

  void branch(const std::string& name, std::optional<CommitId> head = std::nullopt) {
    must(catalog().create_branch(ref(name), head, true));
  }
  CommitId commit(const std::string& branch, const std::string& description = "") {
    store::FinishOptions options;
    options.author = "archivist";
    options.description = description;
    return must(catalog().finish(ref(branch), options)).commit;
  }
  store::NodePtr root(const std::string& branch) { return trees_.root(must(trees_.branch(ref(branch)))); }
  store::NodePtr at(const std::string& branch, const std::string& path) {
    return must(trees_.walk(root(branch), must(RepoPath::parse(path))));
  }
  store::NodePtr parent(const std::string& branch, const std::string& path) {
    return must(trees_.walk(root(branch), must(RepoPath::parse(path)).parent()));
  }
  static std::string name(const std::string& path) { return path.substr(path.rfind('/') + 1); }

  store::NodePtr make(const std::string& branch, const std::string& path, store::MakeRequest request) {
    return must(trees_.make(parent(branch, path), name(path), request));
  }
  store::NodePtr directory(const std::string& branch, const std::string& path) {
    return make(branch, path, {store::Kind::kDirectory, 0755, 0, 0, 0, {}, true});
  }
  /// The directories above `path` that are not there.
  void parents(const std::string& branch, const std::string& path) {
    const auto above = must(RepoPath::parse(path)).parent();
    store::NodePtr at = root(branch);
    for (const auto& part : above.parts()) {
      const auto found = trees_.lookup(at, part);
      at = found ? *found : must(trees_.make(at, part, {store::Kind::kDirectory, 0755, 0, 0, 0, {}, true}));
    }
  }
  store::NodePtr file(const std::string& branch, const std::string& path, const std::string& bytes) {
    const auto made = make(branch, path, {store::Kind::kFile, 0644, 0, 0, 0, {}, true});
    write(made, 0, bytes);
    return made;
  }
  void write(const store::NodePtr& file, std::uint64_t offset, const std::string& bytes, bool released = true) {
    trees_.opened_for_write(file);
    if (!bytes.empty()) must(trees_.write(file, offset, as_bytes(bytes)));
    if (released) trees_.released_for_write(file);
  }
  void change(const store::NodePtr& node, const store::AttributeChange& change) { must(trees_.set_attributes(node, change)); }
  void link(const std::string& branch, const std::string& path, const std::string& other) {
    must(trees_.link(at(branch, path), parent(branch, other), name(other)));
  }
  void remove(const std::string& branch, const std::string& path, bool is_directory) {
    must(trees_.remove(parent(branch, path), name(path), is_directory));
  }
  void rename(const std::string& from, const std::string& path, const std::string& to, const std::string& to_path) {
    must(trees_.rename(parent(from, path), name(path), parent(to, to_path), name(to_path), store::RenameMode::kReplace));
  }

 private:
  store::Store& store_;
  store::LiveTrees& trees_;
};

}  // namespace pfs::test
