#include "trigger/internal/output_update.h"

namespace pfs::trigger {

namespace {

using store::Entry;
using store::Kind;
using store::NodePtr;

class Update {
 public:
  Update(store::LiveTrees& trees, const store::TreeReader& reader) : trees_(trees), reader_(reader) {}

  /// Takes everything out of `from` that `source` has. False: it is not there like that.
  Result<bool> take_out(const NodePtr& from, const store::Subtree& source) {
    Result<bool> taken = true;
    PFS_TRY(reader_.scan(source.root, {}, [&](const Entry& entry) {
      taken = take_out_entry(from, entry);
      return taken && *taken;
    }));
    return taken;
  }

  /// Puts everything of `source` into `to`. False: there is something else at a path of it.
  Result<bool> put_in(const NodePtr& to, const store::Subtree& source) {
    Result<bool> put = true;
    PFS_TRY(reader_.scan(source.root, {}, [&](const Entry& entry) {
      put = put_in_entry(to, entry);
      return put && *put;
    }));
    return put;
  }

 private:
  Result<std::optional<NodePtr>> find(const NodePtr& directory, const std::string& name) {
    auto found = trees_.lookup(directory, name);
    if (found) return std::optional(*std::move(found));
    if (found.error().code == Code::kNotFound) return std::optional<NodePtr>();
    return std::move(found).error();
  }

  Result<bool> take_out_entry(const NodePtr& from, const Entry& entry) {
    PFS_TRY_ASSIGN(const auto node, find(from, entry.name));
    if (!node || trees_.kind(*node) != entry.attributes.kind) return false;
    PFS_TRY_ASSIGN(const auto there, trees_.finished_entry(*node));
    if (entry.is_directory()) {
      if (there && there->subtree.root == entry.subtree.root) return erase(from, entry.name);
      PFS_TRY_ASSIGN(const bool taken, take_out(*node, entry.subtree));
      if (!taken) return false;
      PFS_TRY_ASSIGN(const bool empty, is_empty(*node));
      return empty ? erase(from, entry.name) : Result<bool>(true);
    }
    if (!there || there->content != entry.content) return false;
    return erase(from, entry.name);
  }

  Result<bool> put_in_entry(const NodePtr& to, const Entry& entry) {
    PFS_TRY_ASSIGN(const auto node, find(to, entry.name));
    if (!node) {
      PFS_TRY(trees_.put_entry(to, entry.name, entry));
      return true;
    }
    if (!entry.is_directory() || trees_.kind(*node) != Kind::kDirectory) return false;
    return put_in(*node, entry.subtree);
  }

  /// With all that is below it.
  Result<bool> erase(const NodePtr& from, const std::string& name) {
    const store::EntryPut nothing{from, name, std::nullopt};
    PFS_TRY(trees_.put_entries({&nothing, 1}, {}));
    return true;
  }

  Result<bool> is_empty(const NodePtr& directory) {
    bool empty = true;
    PFS_TRY(trees_.list(directory, {}, [&](const store::ListedEntry&) { return empty = false; }));
    return empty;
  }

  store::LiveTrees& trees_;
  const store::TreeReader& reader_;
};

}  // namespace

Result<std::optional<store::Subtree>> update_output(store::LiveTrees& trees, const store::TreeReader& reader,
                                                    const store::Subtree& base, const std::vector<store::Subtree>& removed,
                                                    const std::vector<store::Subtree>& added) {
  const std::optional<store::Subtree> cannot;
  PFS_TRY_ASSIGN(const store::TreePtr tree, trees.scratch());
  Entry whole;
  whole.name = "merged";
  whole.attributes.kind = Kind::kDirectory;
  whole.attributes.mode = 0755;
  whole.subtree = base;
  PFS_TRY(trees.put_entry(trees.root(tree), whole.name, whole));
  PFS_TRY_ASSIGN(const NodePtr merged, trees.lookup(trees.root(tree), whole.name));
  Update update(trees, reader);
  for (const store::Subtree& output : removed) {
    PFS_TRY_ASSIGN(const bool taken, update.take_out(merged, output));
    if (!taken) return cannot;
  }
  for (const store::Subtree& output : added) {
    PFS_TRY_ASSIGN(const bool put, update.put_in(merged, output));
    if (!put) return cannot;
  }
  PFS_TRY_ASSIGN(const store::Subtree updated, trees.snapshot(merged));
  return std::optional(updated);
}

}  // namespace pfs::trigger
