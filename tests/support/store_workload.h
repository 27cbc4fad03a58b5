#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "store/store.h"

namespace pfs::test {

/// What a store with two branches should hold, as plain maps.
struct StoreModel {
  struct Node {
    bool directory = false;
    std::string bytes;
    std::uint32_t mode = 0;
    std::uint64_t link = 0;  ///< the same for all names of a file in its tree, 0 for a file with one name
    bool operator==(const Node&) const = default;
  };
  using Tree = std::map<std::string, Node>;  // by path: `/a/b`
  Tree live[2];
  std::optional<Tree> head[2];
  bool joined = false;
  std::set<std::string> left_out[2];  ///< names of a file that the HEAD has as it was, or not at all; not compared

  bool operator==(const StoreModel&) const = default;
};

/// One change, drawn from what the model holds, so that it makes sense.
struct StoreOp {
  enum class Kind {
    kPut, kWrite, kAppend, kTruncate, kMakeDirectory, kRemove, kRename, kCopyRange, kCopyEntry, kChmod, kLink, kFinish, kRetarget,
    kRenameBranch, kSync, kExchange,
    kFinishWhileWriting  ///< the commit leaves out the file at `path`, which is appended to before and after it
  };
  Kind kind = Kind::kSync;
  int branch = 0;
  int other = 0;
  std::string path;
  std::string other_path;
  std::uint64_t offset = 0;
  std::uint64_t other_offset = 0;
  std::uint64_t length = 0;
  std::string bytes;
  std::uint32_t mode = 0;

  std::string text() const;
};

/// A random history: a function of its seed alone, so that a failure can be played again.
class StoreWorkload {
 public:
  explicit StoreWorkload(std::uint64_t seed) : random_(seed) {}

  StoreOp next(const StoreModel& model);
  /// What the operation does to the model.
  static void apply(const StoreOp& op, StoreModel& model);
  /// And to the store. Errors are the store's.
  static Result<void> apply(const StoreOp& op, store::Store& store);

  /// Limits of staging for a history, by its seed: low ones in three of four, so that small files have spools too.
  static store::StagingLimits limits(std::uint64_t seed);
  static BranchRef branch(int number);
  static Result<void> make_branches(store::Store& store);
  /// After a kill: a branch that was on its way to another name and back gets its own again.
  static Result<void> settle(store::Store& store);
  /// What the store holds, as a model (`joined` is not read).
  static Result<StoreModel> read(store::Store& store);
  static Result<StoreModel::Tree> read_tree(store::LiveTrees& trees, const store::NodePtr& root);
  /// The paths of the file that `path` names.
  static std::vector<std::string> names_of(const StoreModel::Tree& tree, const std::string& path);
  /// The first difference, in words; empty when there is none.
  static std::string difference(const StoreModel& expected, const StoreModel& found);

 private:
  std::uint64_t below(std::uint64_t limit) { return random_() % limit; }
  std::string some_bytes();
  std::string some_name();
  std::optional<std::string> some_path(const StoreModel::Tree& tree, bool directory);
  std::string some_directory(const StoreModel::Tree& tree);

  std::mt19937_64 random_;
};

}  // namespace pfs::test
