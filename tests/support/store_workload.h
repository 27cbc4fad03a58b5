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

/// What a store with two branches, each of a repo of its own, should hold, as plain maps.
struct StoreModel {
  struct Node {
    store::Kind kind = store::Kind::kFile;
    std::string bytes;  ///< of a file; of a symlink its target
    std::uint32_t mode = 0;
    std::uint32_t uid = 0;
    std::uint32_t gid = 0;
    std::uint64_t rdev = 0;
    store::Xattrs xattrs;
    std::optional<Timestamp> mtime;  ///< as it was set; nullopt: as the clock gave it, which is not compared
    std::uint64_t link = 0;  ///< the same for all names of a file in its tree, 0 for a file with one name

    bool is_directory() const { return kind == store::Kind::kDirectory; }
    bool operator==(const Node&) const = default;
  };
  using Tree = std::map<std::string, Node>;  // by path: `/a/b`
  Tree live[2];
  std::optional<Tree> head[2];
  std::optional<Tree> kept[2];  ///< HEAD of another branch of the repo, to go back to
  bool joined = false;
  std::set<std::string> left_out[2];  ///< names of a file that the HEAD has as it was, or not at all; not compared

  bool operator==(const StoreModel&) const = default;
};

/// One change, drawn from what the model holds, so that it makes sense.
struct StoreOp {
  enum class Kind {
    kPut, kWrite, kAppend, kTruncate, kMakeDirectory, kMakeSpecial, kRemove, kRename, kExchange, kLink, kCopyRange, kCopyEntry,
    kPutEntries, kChmod, kOwn, kSetXattr, kRemoveXattr, kFinish,
    kFinishWhileWriting,  ///< the commit leaves out the file at `path`, which is appended to before and after it
    kDiscard,
    kKeep,      ///< the branch's HEAD is kept by another branch
    kRetarget,  ///< the branch goes back to what was kept
    kRenameBranch, kSync
  };
  /// What is put at a name of `branch`: a copy of what is at `source` in `other`, or nothing.
  struct Put {
    std::string path;
    std::optional<std::string> source;
    bool held = false;  ///< somebody knows what is there before
  };
  Kind kind = Kind::kSync;
  int branch = 0;
  int other = 0;
  std::string path;
  std::string other_path;
  std::uint64_t offset = 0;
  std::uint64_t other_offset = 0;
  std::uint64_t length = 0;
  std::string bytes;  ///< a symlink's target and the value of an extended attribute, too
  std::string name;   ///< of an extended attribute
  std::uint32_t mode = 0;
  store::Kind made = store::Kind::kFile;  ///< kMakeSpecial
  std::uint64_t rdev = 0;
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  Timestamp mtime;
  std::vector<Put> puts;  ///< kPutEntries; `path` is then a directory that is changed with them, or empty

  std::string text() const;
};

/// A random history: a function of its seed alone, so that a failure can be played again.
class StoreWorkload {
 public:
  /// Operations set times before this one, the clock gives later ones.
  static constexpr Timestamp kClockBegins{1'000'000'000'000'000'000};

  explicit StoreWorkload(std::uint64_t seed) : random_(seed) {}

  StoreOp next(const StoreModel& model);
  /// What the operation does to the model.
  static void apply(const StoreOp& op, StoreModel& model);
  /// And to the store. Errors are the store's.
  static Result<void> apply(const StoreOp& op, store::Store& store);

  /// Limits of staging for a history, by its seed: low ones in three of four, so that small files have spools too.
  static store::StagingLimits limits(std::uint64_t seed);
  static BranchRef branch(int number);
  /// The branch that keeps a HEAD of that one.
  static BranchRef keeper(int number);
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
  using Wanted = bool (*)(const StoreModel::Node&);

  std::uint64_t below(std::uint64_t limit) { return random_() % limit; }
  std::string some_bytes();
  std::string some_name();
  std::uint32_t some_owner();
  Timestamp some_time();
  std::optional<std::string> some_path(const StoreModel::Tree& tree, Wanted wanted);
  /// A directory's path as often as another's.
  std::optional<std::string> some_entry(const StoreModel::Tree& tree);
  std::string some_directory(const StoreModel::Tree& tree);

  // Each makes `op`, whose branches are drawn already, one of its kind; false when what was drawn makes no sense.
  bool draw_put(const StoreModel& model, StoreOp& op);
  bool draw_write(const StoreModel& model, StoreOp& op);
  bool draw_make_directory(const StoreModel& model, StoreOp& op);
  bool draw_make_special(const StoreModel& model, StoreOp& op);
  bool draw_remove(const StoreModel& model, StoreOp& op);
  bool draw_rename(const StoreModel& model, StoreOp& op);
  bool draw_exchange(const StoreModel& model, StoreOp& op);
  bool draw_link(const StoreModel& model, StoreOp& op);
  bool draw_copy_range(const StoreModel& model, StoreOp& op);
  bool draw_copy_entry(const StoreModel& model, StoreOp& op);
  bool draw_put_entries(const StoreModel& model, StoreOp& op);
  bool draw_chmod(const StoreModel& model, StoreOp& op);
  bool draw_own(const StoreModel& model, StoreOp& op);
  bool draw_xattr(const StoreModel& model, StoreOp& op);
  bool draw_finish(const StoreModel& model, StoreOp& op);
  bool draw_finish_while_writing(const StoreModel& model, StoreOp& op);
  bool draw_discard(const StoreModel& model, StoreOp& op);
  bool draw_keep(const StoreModel& model, StoreOp& op);
  bool draw_retarget(const StoreModel& model, StoreOp& op);
  bool draw_rename_branch(const StoreModel& model, StoreOp& op);
  bool draw_sync(const StoreModel& model, StoreOp& op);

  std::mt19937_64 random_;
};

}  // namespace pfs::test
