#pragma once

#include <atomic>
#include <cstddef>
#include <future>
#include <iterator>
#include <optional>
#include <span>
#include <string>

#include <boost/filesystem.hpp>

#include "support/must.h"
#include "support/store_world.h"

namespace pfs::test {

/// A store whose branches have small files at their top.
class CatalogWorld : public StoreWorld {
 public:
  store::NodePtr put(const std::string& branch, const std::string& name, const std::string& bytes) {
    auto node = file(root(branch), name);
    must(trees().write(node, 0, as_bytes(bytes)));
    return node;
  }
  std::string get(const std::string& branch, const std::string& name) { return text(root(branch), name); }
  bool has(const std::string& branch, const std::string& name) { return trees().lookup(root(branch), name).has_value(); }
  std::size_t staged_segments() const {
    const boost::filesystem::directory_iterator first(path() + "/stage/log");
    return static_cast<std::size_t>(std::distance(first, boost::filesystem::directory_iterator()));
  }
};

/// Refuses, or holds up, the moves of one branch.
class Gate : public store::PublishHook {
 public:
  Result<void> on_moves(std::span<const store::HeadMove> moves, const store::BranchAfter&, store::RefTxn&) override {
    for (const auto& move : moves) {
      if (move.branch == refused) return Error{Code::kUnavailable, "refused by the test"};
      if (move.branch == held) {
        reached.set_value();
        open.get_future().wait();
      }
    }
    return {};
  }
  void after_moves(std::span<const store::HeadMove> moves) override { told += static_cast<int>(moves.size()); }
  void after_discard(const BranchRef&) override {}
  Result<void> on_delete(const BranchRef&, store::DeletionOf, store::RefTxn&) override { return {}; }
  Result<void> on_commits_deleted(std::span<const CommitId>, store::RefTxn&) override { return {}; }

  std::optional<BranchRef> refused;
  std::optional<BranchRef> held;
  std::promise<void> reached;
  std::promise<void> open;
  std::atomic<int> told{0};
};

}  // namespace pfs::test
