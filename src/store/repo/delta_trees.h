#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "base/clock.h"
#include "base/sync.h"
#include "store/catalog.h"
#include "store/live_trees.h"
#include "store/local_db.h"
#include "store/repo/cut_ahead.h"
#include "store/repo/delta_rows.h"
#include "store/repo/directory_rows.h"
#include "store/repo/file_rows.h"
#include "store/repo/folding_files.h"
#include "store/repo/live_node.h"
#include "store/repo/row_syncer.h"
#include "store/repo/staging_log.h"
#include "store/tree/content_list.h"
#include "store/tree/tree_editor.h"
#include "store/tree/tree_store.h"

namespace pfs::store {

/// The tree that a frozen branch is.
struct Walked {
  Subtree root;
  bool keep = false;  ///< something differs that makes a commit worth keeping (semantics S44)
  Digest links;       ///< the side tree of `root`
};

/// LiveTrees over a LocalDb: base trees with rows of changes over them. docs/architecture.md "Open commits" tells how.
///
/// One mutex (rank kBranch) for names, rows and epochs, one a file for its bytes. The mutex is held over unsynced row
/// writes and loads of nodes, never over a sync, nor while anything is hashed or compressed to be written.
class DeltaTrees final : public LiveTrees {
 public:
  struct Parts {
    LocalDb* local = nullptr;
    Objects* objects = nullptr;
    TreeStore* trees = nullptr;
    ContentReader* contents = nullptr;
    const Clock* clock = nullptr;
    StagingLog::Options staging;
    /// Whether the branch exists, the root of its HEAD and whether a pipeline writes it. From the catalog.
    struct BranchState {
      std::optional<CommitId> head;
      CommitId open;
      Subtree root;           ///< of HEAD, or what the open commit begins with
      Digest links = empty_subtree().root;
      Attributes attributes;  ///< of the branch's root, where it has no rows
      bool output = false;
      bool commits_at_close = false;
      bool begins_elsewhere = false;  ///< `root` is not HEAD's
    };
    std::function<Result<BranchState>(const BranchRef&)> branch_state;
    /// Which branch of the repo has this open commit, of which there is no other.
    std::function<Result<std::optional<BranchRef>>(const RepoName&, const CommitId&)> branch_of_open;
  };

  /// Replays the staging log, drops what nothing refers to. Frozen branches are left for the catalog to finish.
  static Result<std::unique_ptr<DeltaTrees>> open(Parts parts);
  ~DeltaTrees() override;

  Result<TreePtr> branch(const BranchRef& ref) override;
  Result<TreePtr> commit(const Commit& commit) override;
  Result<TreePtr> scratch() override { return scratch_over({}); }
  Result<TreePtr> scratch_over(const FinishedTree& base) override;
  Result<TreePtr> scratch_view(std::string_view published) override;
  NodePtr root(const TreePtr& tree) override;
  std::optional<BranchRef> branch_of(const NodePtr& node) override;
  NodeState state(const NodePtr& node) override;
  Kind kind(const NodePtr& node) const override;
  bool writable(const NodePtr& node) const override;
  std::string path(const NodePtr& node) override;
  RepoPath repo_path(const NodePtr& node) override;
  bool immutable(const NodePtr& node) const override;

  Result<NodePtr> lookup(const NodePtr& directory, std::string_view name) override;
  Result<NodePtr> walk(const NodePtr& directory, const RepoPath& path) override;
  Result<Stat> stat(const NodePtr& node) override;
  Result<void> list(const NodePtr& directory, std::string_view after,
                    const std::function<bool(const ListedEntry&)>& visit) override;
  Result<std::size_t> read(const NodePtr& file, std::uint64_t offset, std::span<std::byte> out) override;
  Result<std::optional<std::uint64_t>> seek(const NodePtr& file, std::uint64_t offset, Seek wanted) override;
  Result<std::string> read_link(const NodePtr& symlink) override;
  Result<Xattrs> xattrs(const NodePtr& node) override;
  Result<std::optional<Entry>> finished_entry(const NodePtr& node) override;

  Result<NodePtr> make(const NodePtr& directory, std::string_view name, const MakeRequest& request) override;
  Result<void> remove(const NodePtr& directory, std::string_view name, bool is_directory) override;
  Result<void> link(const NodePtr& file, const NodePtr& directory, std::string_view name) override;
  Result<void> rename(const NodePtr& from, std::string_view from_name, const NodePtr& to, std::string_view to_name,
                      RenameMode mode) override;
  Result<Stat> set_attributes(const NodePtr& node, const AttributeChange& change) override;
  Result<void> set_xattr(const NodePtr& node, std::string_view name, std::optional<std::string> value) override;
  Result<void> write(const NodePtr& file, std::uint64_t offset, std::span<const std::byte> bytes) override;
  Result<std::uint64_t> append(const NodePtr& file, std::span<const std::byte> bytes) override;
  Result<std::uint64_t> copy_range(const NodePtr& source, std::uint64_t source_offset, const NodePtr& target,
                                   std::uint64_t target_offset, std::uint64_t length) override;
  Result<NodePtr> copy_entry(const NodePtr& source, const NodePtr& directory, std::string_view name) override;
  Result<std::vector<NodePtr>> put_entry(const NodePtr& directory, std::string_view name, const Entry& entry) override;
  Result<std::vector<NodePtr>> put_entries(std::span<const EntryPut> puts,
                                           std::span<const DirectoryChange> directories) override;
  Result<void> sync(const NodePtr& node) override;
  void opened_for_write(const NodePtr& file, pid_t pid) override;
  void released_for_write(const NodePtr& file) override;
  Result<Subtree> snapshot(const NodePtr& directory) override;
  std::shared_ptr<void> hold_objects() override { return parts_.objects->uses().begin(); }

  // ---- for the catalog

  /// What a branch's live tree holds that is not committed.
  struct Activity {
    bool changed = false;
    std::chrono::steady_clock::time_point last_change;
    Timestamp last_change_at;
    std::chrono::steady_clock::time_point first_change;  ///< that no commit has; the start, if that was later
    Timestamp changed_since;
    std::vector<BeingWritten> being_written;
    std::optional<BranchRow::Frozen> frozen;
    std::set<BranchRef> joined;
  };
  Activity activity(const BranchRef& ref, std::chrono::milliseconds idle_after);
  /// Whether the branch has changes for a commit, and which branches a rename has joined with it.
  bool changed(const BranchRef& ref);
  std::set<BranchRef> joined(const BranchRef& ref);
  /// Under what the branch is being finished right now.
  std::optional<BranchRow::Frozen> frozen(const BranchRef& ref);
  /// Calls `visit` for the objects that only memory leads to, or may: of commits that somebody looks at, whether they were deleted
  /// since or not, and of what has lost its place and is open still. What lies below them is not named.
  void held_objects(const std::function<void(const ObjectId&)>& visit);
  /// The branches with rows, frozen ones after a crash included.
  std::vector<BranchRef> changed_branches();

  struct Freezing {
    BranchRow::Frozen under;  ///< the id that it will be published with, and what a restart needs
    /// Files that are being written, with a write so long ago at most, stay what they were; the description will list them.
    std::optional<std::chrono::milliseconds> leave_out;
  };
  /// Freezes the branches together in one epoch: later changes belong to their next commits. Nothing is done and nullopt
  /// returned when one of them is joined with a branch that is not among `claimed`.
  Result<std::optional<Epoch>> freeze(const std::map<BranchRef, Freezing>& frozen, const std::set<BranchRef>& claimed);
  /// Walks a frozen branch; its objects are stored when it returns.
  Result<Walked> walk_frozen(const BranchRef& ref, Epoch epoch, ObjectWriter& writer);
  /// The branch's frozen changes are its base now: published as `head` with this root and this side tree. Staged bytes are
  /// not read, so it does not matter when a power cut took them since.
  Result<void> fold(const BranchRef& ref, const Subtree& root, const Digest& links, Epoch epoch, const CommitId& head);
  /// The branch was not published: its changes stay what they were, uncommitted. `try_again`: they are still worth a
  /// commit; else they wait for one that is.
  Result<void> thaw(const BranchRef& ref, bool try_again);

  /// While it is there, whoever would change one of the branches waits, and then finds the tree that there is. Files that are
  /// open for writing and have been written in this epoch already do not wait: a branch that is to be still must not be
  /// changed() once it is held. One holder of a branch at a time, which its claim sees to.
  using Hold = std::shared_ptr<const void>;
  /// Of those branches that there are.
  Result<Hold> hold(const std::set<BranchRef>& refs);

  struct Replaced {
    NodePtr root;
    std::vector<std::string> names;
    std::vector<NodePtr> orphans;
  };
  /// Whether that is what the live tree's changes are over: not where HEAD was moved and the tree has not followed.
  Result<bool> begins_with(const BranchRef& ref, const std::optional<Commit>& head, const std::optional<FinishedTree>& begins);
  /// The branch points at another tree; what was known below its root is orphaned, what was not committed is dropped.
  /// Nothing when nobody has it loaded. `begins`: the tree, where it is not that of `head`.
  Result<std::optional<Replaced>> replace_root(const BranchRef& ref, const std::optional<Commit>& head, const CommitId& open,
                                               const std::optional<FinishedTree>& begins);
  /// Like it, and the branch is gone. Its rows are dropped.
  Result<std::optional<Replaced>> drop_branch(const BranchRef& ref);
  /// Between these two the branch's live tree is also found as `to`, once the catalog has it there. Errors: kNotFound.
  Result<void> begin_rename(const BranchRef& from, const BranchRef& to);
  void end_rename(const BranchRef& to);
  /// The branch has another name: its rows, and those that name it, say so.
  Result<void> rename_branch(const BranchRef& from, const BranchRef& to);
  void set_output(const BranchRef& ref, bool output);
  /// Whether `set_on_close` is told of the last close of each file of the branch.
  void set_commits_at_close(const BranchRef& ref, bool at_close);
  /// Called with nothing held, on the thread that closes; set before anybody writes.
  void set_on_close(std::function<void(const BranchRef&)> on_close) { on_close_ = std::move(on_close); }
  /// Whether the branch's live tree has no entries.
  Result<bool> is_empty(const BranchRef& ref);

  /// The side tree of hard links of a tree that has come from `base`.
  Result<Digest> links_of(const FinishedTree& base, const Subtree& root);

  StagingLog& staging() { return *staging_; }
  /// Deletes segments and spools that nothing refers to any more; moves on what little lives in others.
  Result<void> release_staging();
  /// Does so where spools that nothing refers to are left and no more come: a view that goes is followed by no commit. Called now
  /// and then.
  void clear_when_quiet() PFS_EXCLUDES(mutex_);

 private:
  // A change of rows on its way: the batch, and the directories that it marked. Unless it is applied they are what they were
  // before, whichever way it ends: none may seem to have rows that nobody wrote.
  struct Change {
    struct Marked {
      NodePtr directory;
      bool had_number = false;
      bool had_rows = false;
    };
    Change() = default;
    Change(const Change&) = delete;
    Change& operator=(const Change&) = delete;
    ~Change();

    LocalBatch batch;
    std::vector<Marked> marked;
  };
  struct FoundRow {
    DeltaRow row;
    Epoch epoch;
  };

  // A file that nothing leads to any more and nobody holds. What is staged of it is in `state`, or, where it had to wait for
  // a commit that is being finished, in its newest row.
  struct Leftover {
    FileId file;
    FileState state;
  };

  // A directory that nothing leads to any more, with whatever it has in it.
  struct Departed {
    DirId directory;
    std::string from;  // the first row that is not dropped yet
  };

  // What folding one branch has found so far.
  struct FoldContext {
    Epoch epoch;
    struct Link {
      Content content;
      std::uint64_t link_id = 0;
    };
    std::unordered_map<FileId, Link> linked;  // files with several names, which are folded after all directories
  };
  using Dropped = std::vector<std::pair<StagedAt, std::uint64_t>>;  // staged bytes that are in the commit
  struct FoldedDirectory {
    DirId directory;
    const Subtree& subtree;
    LocalBatch batch;
    Dropped dropped;
    std::vector<std::pair<FileId, Content>> reached;
  };
  // The rows of a file of which some are in the commit.
  struct FoldedFile {
    std::vector<std::string> keys;
    std::optional<Epoch> newest;  // nullopt: it has none
    FileState state;              // what the newest says
    std::uint64_t link_id = 0;    // in the commit
  };

  explicit DeltaTrees(Parts parts) : parts_(std::move(parts)) {}

  // delta_trees.cc: opening, trees, identity
  Result<void> load();
  Result<void> sweep();
  Result<void> replay(const StagingRecord& record);
  Result<std::uint64_t> new_id(TreeInfo& info) PFS_REQUIRES(mutex_);
  Result<NodePtr> branch_root_locked(const BranchRef& ref) PFS_REQUIRES(mutex_);
  static LiveNode& root_of(LiveNode& node);
  /// Not what is scratch in a view, as long as it is where it is.
  bool may_be_committed(const LiveNode& file) const PFS_EXCLUDES(mutex_);
  NodeState state_locked(LiveNode& node) const PFS_REQUIRES(mutex_);
  std::string path_locked(const LiveNode& node) const PFS_REQUIRES(mutex_);
  Result<void> check_changeable(LiveNode& directory) const PFS_REQUIRES(mutex_);
  /// Asked first by whoever is about to change something, before anything is looked at.
  void wait_while_held(LiveNode& node) PFS_REQUIRES(mutex_);
  /// Whether a directory may be at this name. Errors: kNameTooLong (kMaxLevels).
  static Result<void> check_level(const LiveNode& directory, std::string_view name);
  static Error too_deep(std::string_view name);
  void reap() PFS_EXCLUDES(mutex_);
  void reap_all() PFS_EXCLUDES(mutex_);
  /// Some of it, so that others have their turn; returns whether there is more that can be done now.
  bool reap_some() PFS_EXCLUDES(mutex_);
  std::shared_ptr<LiveNode> new_node(Kind kind, const Attributes& attributes);
  Result<void> erase_rows(LocalBatch& batch, Family family, const std::string& begin, const std::string& end) const;

  // delta_trees_read.cc
  Result<NodePtr> lookup_locked(const NodePtr& directory, std::string_view name) PFS_REQUIRES(mutex_);
  Result<NodePtr> attach(const NodePtr& directory, std::string_view name, const FoundRow& found) PFS_REQUIRES(mutex_);
  Result<NodePtr> attach_entry(const NodePtr& directory, const Entry& entry) PFS_REQUIRES(mutex_);
  Result<std::optional<FoundRow>> newest_row(DirId directory, std::string_view name) const;
  Result<std::optional<std::pair<Epoch, std::string>>> newest_numbered(const std::string& begin, const std::string& end,
                                                                       Epoch up_to, const LocalDb::Snapshot* at) const;
  /// The next names behind `after`; none only where there are none.
  Result<std::vector<ListedEntry>> list_page(const NodePtr& directory, std::string after, bool& more) PFS_REQUIRES(mutex_);
  /// Those of a page of rows and one of the base, merged, up to the name `seen`: none where all were removed.
  Result<std::vector<ListedEntry>> merge_page(const NodePtr& directory, const std::string& after, std::string& seen, bool& more)
      PFS_REQUIRES(mutex_);
  Result<Stat> stat_of_row(const TreeInfo& info, const DeltaRow& row) const PFS_REQUIRES(mutex_);
  Result<Stat> stat_of_entry(const TreeInfo& info, const Entry& entry) const PFS_REQUIRES(mutex_);
  Xattrs kept_xattrs(LiveNode& node) const PFS_EXCLUDES(mutex_);
  Result<bool> is_empty_locked(const NodePtr& directory) PFS_REQUIRES(mutex_);

  // delta_trees_change.cc
  Result<void> mark_directory(LiveNode& directory, Change& change) PFS_REQUIRES(mutex_);
  /// Marks it and puts its row with new times.
  Result<void> touch_directory(LiveNode& directory, Change& change) PFS_REQUIRES(mutex_);
  void put_directory_row(LiveNode& directory, Change& change) PFS_REQUIRES(mutex_);
  /// The row that makes `name` of `directory` this node.
  Result<void> put_name(LiveNode& directory, std::string_view name, LiveNode& node, Change& change) PFS_REQUIRES(mutex_);
  Result<void> apply(Change& change) PFS_REQUIRES(mutex_);
  /// The node has no name any more.
  void lose_name(LiveNode& node, NodeState state) PFS_REQUIRES(mutex_);
  void note_change(LiveNode& node) PFS_REQUIRES(mutex_);
  static Entry entry_of(const LiveNode& node) PFS_NO_ANALYSIS;

  // delta_trees_exchange.cc
  /// What a node has for ctime from now on; returns what it had.
  static Timestamp exchange_ctime(LiveNode& node, Timestamp ctime);
  Result<void> exchange(const NodePtr& one_directory, std::string_view one_name, const NodePtr& other_directory,
                        std::string_view other_name) PFS_REQUIRES(mutex_);

  // delta_trees_attributes.cc
  Result<void> change_attributes(const NodePtr& node, const std::function<void(Attributes&, Xattrs&)>& edit)
      PFS_REQUIRES(mutex_);

  // delta_trees_links.cc: what a link is, delta_trees_link_names.cc: its names that go, move and are copied
  Result<std::uint64_t> new_link_id(const TreeInfo& info) const PFS_REQUIRES(mutex_);
  Result<std::uint32_t> count_names(const TreeInfo& info, std::uint64_t link_id) const PFS_REQUIRES(mutex_);
  Result<void> put_link_name(const OpenLink::Name& at, FileId file, Change& change) PFS_REQUIRES(mutex_);
  Result<void> put_link(LiveNode& node, const OpenLink& link, const std::set<OpenLink::Name>* except, Change& change) PFS_REQUIRES(mutex_);
  Result<std::set<OpenLink::Name>> names_of_closed(const NodePtr& root, const NodePtr& node, std::uint64_t link_id)
      PFS_REQUIRES(mutex_);
  Result<void> open_link(const NodePtr& node) PFS_REQUIRES(mutex_);
  Result<void> open_links_below(const NodePtr& directory) PFS_REQUIRES(mutex_);
  Result<void> open_closed_below(const NodePtr& directory) PFS_REQUIRES(mutex_);
  /// What a name leads to while it is taken away: opened before the change begins, put into it, and ended after it.
  struct Departure {
    NodePtr node;  ///< null: nothing of that name is loaded
    struct Going {
      std::uint64_t id = 0;
      NodePtr node;
      std::set<OpenLink::Name> names;
      Timestamp ctime;
    };
    std::vector<Going> links;  ///< itself, or those below it
  };
  /// `with_content`: a directory goes with what is in it; else it is known to be empty.
  Result<Departure> open_departure(const NodePtr& directory, std::string_view name, bool with_content) PFS_REQUIRES(mutex_);
  Result<void> put_departure(const Departure& departure, TreeInfo& info, Change& change) PFS_REQUIRES(mutex_);
  void end_departure(const Departure& departure, TreeInfo& info, LiveNode& directory, std::string_view name, bool done)
      PFS_REQUIRES(mutex_);
  static const OpenLink* open_link_of(LiveNode& node);
  Result<void> put_names(LiveNode& node, Change& change) PFS_REQUIRES(mutex_);
  Result<void> put_renamed(LiveNode& node, const OpenLink::Name& from, LiveNode& to, std::string_view to_name, Change& change)
      PFS_REQUIRES(mutex_);
  void end_renamed(const NodePtr& node, const OpenLink::Name& from, const NodePtr& to, std::string_view to_name)
      PFS_REQUIRES(mutex_);
  /// A link below a directory that is moved to another branch.
  struct MovedLink {
    std::uint64_t old_id = 0;
    std::uint64_t new_id = 0;
    NodePtr node;
  };
  // delta_trees_put.cc
  struct Overwrite {
    NodePtr node;
    FileId number;  ///< that it is given, if it had none
    FileState before;
    Dropped dropped;
  };
  bool can_overwrite(const NodePtr& there, const EntryPut& put) const;
  void begin_overwrite(const EntryPut& put, Overwrite& overwrite, Change& change) PFS_REQUIRES(mutex_);
  void end_overwrite(Overwrite& overwrite, bool done) PFS_REQUIRES(mutex_);
  void put_plain_row(const EntryPut& put, Change& change) PFS_REQUIRES(mutex_);
  Result<void> put_one(const EntryPut& put, Departure& departure, std::vector<NodePtr>& losers) PFS_REQUIRES(mutex_);
  Result<std::vector<NodePtr>> put_entries_locked(std::span<const EntryPut> puts, std::span<const DirectoryChange> directories)
      PFS_REQUIRES(mutex_);
  Result<std::vector<MovedLink>> open_moved_links(const NodePtr& node, const LiveNode& from, const LiveNode& to) PFS_REQUIRES(mutex_);
  Result<void> put_moved_links(const std::vector<MovedLink>& moved, const TreeInfo& from, Change& change) PFS_REQUIRES(mutex_);
  void end_moved_links(const std::vector<MovedLink>& moved, TreeInfo& from, TreeInfo& to, bool done) PFS_REQUIRES(mutex_);
  Result<NodePtr> graft(const NodePtr& directory, const Entry& entry, Change& change, std::map<std::uint64_t, OpenLink>& links)
      PFS_REQUIRES(mutex_);
  Result<void> find_open_links(const NodePtr& root) PFS_REQUIRES(mutex_);
  Result<void> fold_links(TreeInfo& info, const FoldContext& context, LocalBatch& batch, Dropped& dropped) PFS_REQUIRES(mutex_);

  // delta_trees_held.cc
  void note_detached(LiveNode& node) PFS_REQUIRES(mutex_);
  void visit_held(const LiveNode& node, const std::function<void(const ObjectId&)>& visit) PFS_REQUIRES(mutex_);
  /// Somebody refers to what another node had: no collection that is on its way takes it.
  void refer_to(const Entry& entry) const;
  void refer_to(const FileState& file) const;
  void refer_to(const Content& content) const;

  // delta_trees_file.cc
  Result<void> prepare_write(const NodePtr& file) PFS_EXCLUDES(mutex_);
  Result<void> prepare_write_locked(const NodePtr& file) PFS_REQUIRES(mutex_);
  bool ready_for_write(const LiveNode& file) const PFS_REQUIRES(file.mutex);
  Result<void> write_ready(LiveNode& file, std::uint64_t offset, std::span<const std::byte> bytes) PFS_REQUIRES(file.mutex);
  Result<void> write_logged(LiveNode& file, std::uint64_t offset, std::span<const std::byte> bytes) PFS_REQUIRES(file.mutex);
  Result<void> truncate_ready(LiveNode& file, std::uint64_t size) PFS_REQUIRES(file.mutex);
  bool begin_write(const NodePtr& file) PFS_REQUIRES(file->mutex);
  /// Deletes and moves staged bytes where so much is dead that the bound is near. Called with nothing held.
  void clear_if_wanted();
  /// The same for who was refused room: whether it is worth another try. Called with nothing held.
  bool clear_for_room();
  void note_stale(const NodePtr& file) PFS_REQUIRES(file->mutex);
  /// Puts the file's row where it lags behind.
  Result<void> flush_row(LiveNode& file) PFS_REQUIRES(file.mutex);
  Result<void> flush_rows();
  FileState::Drop dropper();

  // delta_trees_spool.cc
  bool wants_spool(const FileState& state, std::uint64_t size_after) const;
  Result<void> open_spool(LiveNode& file) PFS_REQUIRES(file.mutex);
  /// Whether the file is to have fewer spools before it gets another.
  bool wants_merge(const LiveNode& file) const PFS_REQUIRES(file.mutex);
  /// Called with nothing held, by whoever is about to write.
  Result<void> merge_spools(const NodePtr& file) PFS_EXCLUDES(mutex_);
  Result<void> fill_merged(const FileState& state, Layer& merged) const;
  Result<bool> replace_layers(LiveNode& file, const FileState& before, Layer merged) PFS_REQUIRES(file.mutex);
  Result<void> write_spooled(LiveNode& file, Spool& spool, std::uint64_t offset, std::span<const std::byte> bytes)
      PFS_REQUIRES(file.mutex);
  Result<void> fill_block(const FileState& state, Spool& spool, std::uint64_t block) const;
  Result<void> truncate_spooled(LiveNode& file, Spool& spool, std::uint64_t size) PFS_REQUIRES(file.mutex);

  // delta_trees_leave_out.cc
  std::vector<NodePtr> being_written(const NodePtr& root, std::chrono::milliseconds idle_after) const PFS_REQUIRES(mutex_);
  Result<std::map<OpenLink::Name, DeltaRow>> stand_ins(const FileState& state, const std::set<OpenLink::Name>& names) const
      PFS_REQUIRES(mutex_);
  /// Puts into `change` what leaves files out of the epoch before the present one, which is being frozen.
  using LeftOut = std::map<BranchRef, std::vector<NodePtr>>;
  Result<LeftOut> leave_out(const std::map<BranchRef, Freezing>& frozen, FoldingFiles& putting, Change& change) PFS_REQUIRES(mutex_);
  Result<void> leave_out(LiveNode& file, Change& change) PFS_REQUIRES(mutex_);
  void end_leaving_out(const std::vector<NodePtr>& files) PFS_REQUIRES(mutex_);
  std::string text_of_left_out(const std::vector<NodePtr>& files) const PFS_REQUIRES(mutex_);

  // delta_trees_staging.cc
  Result<void> settle_rows();
  Result<void> release_rows(FileId begin, FileId end) PFS_REQUIRES(mutex_);
  Result<void> move_sparse(const std::vector<std::uint64_t>& segments) PFS_EXCLUDES(mutex_);
  Result<std::set<FileId>> files_in(const std::vector<std::uint64_t>& segments) PFS_EXCLUDES(mutex_);
  // Bytes of a file that were copied to elsewhere in the log. The copy is claimed, and the file's only once its row says so.
  struct Copied {
    FileId file;
    std::uint64_t offset = 0;   // in the file
    std::vector<Extent> from;   // side by side
    StagedAt to;
    std::uint64_t length = 0;
    bool placed = false;
  };
  /// Shape: false where nothing may be moved now.
  Result<bool> copy_staged(FileId file, const std::vector<std::uint64_t>& segments, std::vector<Copied>& copies) PFS_EXCLUDES(mutex_);
  /// Nothing where it has none that may be touched.
  Result<std::optional<FileState>> movable_state(FileId file) PFS_REQUIRES(mutex_);
  Result<void> copy_run(const FileState& state, Epoch epoch, Copied run, std::vector<Copied>& copies);
  Result<void> place_copies(std::vector<Copied>& copies) PFS_EXCLUDES(mutex_);
  static bool take_copies(FileState& state, std::span<Copied> copies);
  Result<void> put_copies(FileId file, std::span<Copied> copies) PFS_EXCLUDES(mutex_);
  void seal_below(LiveNode& directory) PFS_REQUIRES(mutex_);

  // delta_trees_finish.cc
  struct WalkContext {
    Epoch epoch;
    const LocalDb::Snapshot* at = nullptr;
    ObjectWriter* writer = nullptr;
    std::unordered_map<FileId, Entry> linked;  // files with several names are cut once
    CutAhead::Sessions cut_ahead;              // what they had been cut into before is stored by these
    std::size_t level = 0;
    std::uint64_t writes = CutAhead::kAnyWrites;  // for CutAhead::take(): not every write, where the epoch is kNewest
  };
  struct WalkedDirectory {
    Subtree subtree;
    bool keep = false;  // as in Walked
  };
  Result<WalkedDirectory> walk_directory(WalkContext& context, DirId directory, const Subtree& base, Owner owner);
  Result<Entry> walk_name(WalkContext& context, FileRows& files, DirectoryRows::Name& name, const std::optional<Entry>& before,
                          Owner owner, WalkedDirectory& walked);
  Result<Entry> walk_file(WalkContext& context, FileRows& rows, FileId file, std::string_view name, Owner owner);

  // delta_trees_fold.cc
  Result<void> fold_directory(FoldContext& context, DirId directory, const Subtree& subtree);
  /// `unreached`: files that nothing leads to any more and whose rows are still to be dropped.
  Result<void> fold_rows(FoldContext& context, DirId directory, const Subtree& subtree, const std::vector<DirId>& below,
                         std::vector<FileId>& unreached);
  Result<void> erase_folded_names(FoldedDirectory& folded, Epoch epoch) const;
  Result<void> fold_name(FoldContext& context, FileRows& rows, FileId file, const std::string& name, FoldedDirectory& folded,
                         std::vector<FileId>& unreached) PFS_REQUIRES(mutex_);
  Result<void> drop_unreached(const FoldContext& context, std::span<const FileId> files);
  static Result<FoldedFile> read_folded(FileRows& rows, FileId file, Epoch epoch);
  Result<void> fold_file(LocalBatch& batch, FileId file, FoldedFile& found, const Content& content, Epoch epoch, Dropped& dropped)
      PFS_REQUIRES(mutex_);
  void release(const Dropped& dropped);
  Result<Entry> published_entry(const Subtree& published, std::string_view name) const;
  /// What is in memory of a file whose rows fold_file() has taken away.
  void close_folded(FileId file, const Content& content, Epoch epoch) PFS_REQUIRES(mutex_);
  void put_branch_row(LiveNode& root, LocalBatch& batch) PFS_REQUIRES(mutex_);
  // delta_trees_replace.cc
  Result<void> drop_outdated_rows();
  void rename_row(const BranchRef& from, const BranchRef& to, LocalBatch& batch) PFS_REQUIRES(mutex_);
  void rename_in_joined(const BranchRef& from, const BranchRef& to, LocalBatch& batch) PFS_REQUIRES(mutex_);
  void let_go(const std::vector<NodePtr>& held) PFS_EXCLUDES(mutex_);
  Result<Replaced> detach_root(const NodePtr& root) PFS_REQUIRES(mutex_);
  std::vector<NodePtr> loaded_below(const NodePtr& root) const PFS_REQUIRES(mutex_);
  Epoch last_frozen() const PFS_REQUIRES(mutex_);
  Result<void> drop_rows_below(DirId directory, LocalBatch& batch, std::vector<Leftover>& leftovers) PFS_REQUIRES(mutex_);
  /// A file that loses its name with the directory that it is in.
  Result<void> drop_with_directory(FileId file, std::vector<Leftover>& leftovers) PFS_REQUIRES(mutex_);
  void depart(LiveNode& directory) PFS_REQUIRES(mutex_);
  /// Whether there are directories in `departed_` whose rows no commit that is being made needs.
  bool can_drop_departed() const PFS_REQUIRES(mutex_);
  /// Some rows of one of them; those of the directories below follow.
  Result<void> drop_departed(LocalBatch& batch, std::vector<Leftover>& leftovers) PFS_REQUIRES(mutex_);
  /// Appends to `gone` what is dropped once `batch` is written.
  Result<void> drop_leftover(Leftover& leftover, Epoch frozen, LocalBatch& batch, std::vector<FileId>& gone) PFS_REQUIRES(mutex_);

  const Parts parts_;
  std::unique_ptr<StagingLog> staging_;
  std::unique_ptr<RowSyncer> row_syncer_;
  std::unique_ptr<CutAhead> cut_ahead_;
  std::function<void(const BranchRef&)> on_close_;
  std::atomic<bool> clearing_{false};  // one caller clears at a time; the others go on

  mutable Mutex mutex_{LockRank::kBranch};
  Condition released_;  // a branch is not held any more
  // raised under mutex_; read by writers under a file's mutex, see ready_for_write()
  std::atomic<std::uint64_t> epoch_{1};
  std::uint64_t next_id_ PFS_GUARDED_BY(mutex_) = 1;
  std::uint64_t reserved_id_ PFS_GUARDED_BY(mutex_) = 1;
  std::uint64_t next_scratch_ PFS_GUARDED_BY(mutex_) = 1;
  std::map<BranchRef, NodePtr> branches_ PFS_GUARDED_BY(mutex_);
  std::map<BranchRef, NodePtr> renaming_ PFS_GUARDED_BY(mutex_);       // by the names that they are about to have
  std::map<BranchRef, BranchRow> branch_rows_ PFS_GUARDED_BY(mutex_);  // of branches not loaded yet
  std::unordered_map<CommitId, std::weak_ptr<LiveNode>> commits_ PFS_GUARDED_BY(mutex_);
  LoadedNodes<DirId> directories_ PFS_GUARDED_BY(mutex_);
  LoadedNodes<FileId> files_ PFS_GUARDED_BY(mutex_);
  // what its branch leads to no more, and somebody may have open; those that nobody has are forgotten now and then
  std::vector<std::weak_ptr<LiveNode>> detached_ PFS_GUARDED_BY(mutex_);
  std::size_t look_at_detached_ PFS_GUARDED_BY(mutex_) = 1024;

  // open links as the rows had them at the start, with their link ids: until their branches are loaded
  std::unordered_map<FileId, std::uint64_t> linked_files_ PFS_GUARDED_BY(mutex_);

  // Files with rows to which nothing leads any more, until what is left of them is dropped; and whether their newest row has
  // all that is staged of them. Else a node or a Leftover has, and whoever goes by rows leaves them alone.
  std::unordered_map<FileId, bool> unnamed_ PFS_GUARDED_BY(mutex_);

  // those of them of which folding has released what was staged up to an epoch: for whoever drops the rest
  std::unordered_map<FileId, Epoch> folded_and_removed_ PFS_GUARDED_BY(mutex_);

  // what a destructor, which may run anywhere, leaves to be done by the next call
  std::vector<Leftover> postponed_ PFS_GUARDED_BY(mutex_);  // until `postponed_for_` is not the newest frozen epoch any more
  Epoch postponed_for_ PFS_GUARDED_BY(mutex_);
  std::map<Epoch, std::vector<Departed>> departed_ PFS_GUARDED_BY(mutex_);  // by when: what is frozen before needs their rows
  std::atomic<bool> any_postponed_{false};  // or departed; so that most calls need no lock
  mutable Mutex leaf_{LockRank::kLeaf};
  std::unordered_set<NodePtr> stale_ PFS_GUARDED_BY(leaf_);  // files whose rows lag behind
  std::vector<NodePtr> dropped_trees_ PFS_GUARDED_BY(leaf_);
  std::vector<Leftover> leftovers_ PFS_GUARDED_BY(leaf_);
  std::vector<std::uint64_t> dead_spools_ PFS_GUARDED_BY(leaf_);  // as clear_when_quiet() has seen them last
  std::chrono::steady_clock::time_point dead_since_ PFS_GUARDED_BY(leaf_);
};

}  // namespace pfs::store
