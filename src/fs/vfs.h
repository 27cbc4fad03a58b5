#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "fs/changes_under_way.h"
#include "fs/contended_files.h"
#include "fs/handle_table.h"
#include "fs/head_links.h"
#include "fs/ids.h"
#include "fs/inode_table.h"
#include "fs/kernel_caches.h"
#include "fs/node_names.h"
#include "fs/parking.h"
#include "fs/shared_inputs.h"
#include "fs/views.h"
#include "store/store.h"

namespace pfs::fs {

/// As what the files of a whole mount are shown, whoever they belong to: what `-o uid=`, `gid=` and
/// `umask=` mean to mount(8).
struct Appearance {
  std::optional<std::uint32_t> uid{};
  std::optional<std::uint32_t> gid{};
  std::uint32_t umask = 0;  ///< bits that no mode shows
};

struct VfsOptions {
  store::Store* store = nullptr;
  const Clock* clock = nullptr;
  KernelCaches* caches = nullptr;
  std::uint32_t uid = 0;  ///< owner of the mount's root and of `.pfs`
  std::uint32_t gid = 0;
  store::PolicySettings new_branches;  ///< of the branches that are made through this mount
  Appearance appearance;
  NodeNames* node_names = nullptr;  ///< null: file handles are good as long as the kernel knows their nodes
  std::string socket_path{};        ///< of the API; empty: none is told
};

/// What stat(2) tells of a node of the mount, and for how long the kernel may believe it.
struct NodeStat {
  InodeNumber number;
  store::Stat stat;
  std::chrono::seconds valid{0};
  bool immutable = false;  ///< of a finished commit
};

/// A name that was found, made or linked. The kernel has one lookup more of `node` to forget.
struct NameReply {
  NodeId node;  ///< none: the name is not there, which the kernel may believe for `name_valid`
  std::uint32_t generation = 0;  ///< of the node
  NodeStat stat;
  std::chrono::seconds name_valid{0};
};

struct OpenReply {
  HandleId handle;
  bool direct = false;      ///< past the page cache: control files
  bool keep_pages = false;  ///< what the kernel has cached is still right
  bool keep_names = false;  ///< directories: the listing may be cached
  bool flush = false;       ///< close(2) shall reach us
  bool immutable = false;   ///< of a finished commit
};

/// S_ISGID, of a directory: what is made in it has its group.
inline constexpr std::uint32_t kSetGid = 02000;

enum class XattrMode { kSet, kCreate, kReplace };

/// Answers a request, now or later, on whatever thread has finished it.
template <class T>
using Done = std::function<void(Result<T>)>;

/// The mounted file system without the kernel: what each operation of a mount means, on a store.
///
/// One a mount, thread-safe. No lock is held while the store or the kernel is called. Operations
/// that may have to wait for a commit, a branch or another request take a `Done` and are parked;
/// all others answer at once. Errors: kStale for a node whose branch points elsewhere now,
/// kReadOnly below commits and the outputs of pipelines, and those of store::LiveTrees. Source:
/// docs/semantics.md; fuse_lowlevel.h for what each request carries.
class Vfs final : public store::TreeObserver {
 public:
  explicit Vfs(const VfsOptions& options);
  ~Vfs() override;

  // ---- names (vfs_names.cc)

  /// Errors: kNotFound (and the kernel shall ask again next time).
  Result<NameReply> lookup(const Caller& caller, NodeId directory, std::string_view name);
  /// The same, and it waits for a commit that is being finished and is asked for by its id.
  void lookup(const Caller& caller, NodeId directory, std::string_view name, Done<NameReply> done);
  void forget(NodeId node, std::uint64_t count);
  /// What a file handle leads to, which says the node's id only; the parent of it. Errors: kStale.
  Result<NameReply> lookup_by_id(NodeId node);
  Result<NameReply> lookup_parent(NodeId node);
  Result<std::string> read_link(NodeId node);
  Result<OpenReply> open_directory(NodeId directory);
  /// Up to `limit` names of an open directory from `offset` on.
  Result<std::vector<Listing::Name>> list(HandleId directory, std::uint64_t offset,
                                          std::size_t limit);
  /// The st_ino that a lookup of the name in the directory would give if it was never seen before;
  /// for `.` its own.
  Result<InodeNumber> number_at_first_sight(HandleId directory, const Listing::Name& name) const;

  // ---- attributes (vfs_attributes.cc)

  Result<NodeStat> stat(NodeId node, std::optional<HandleId> handle);
  /// As stat(), but a file that is open is waited for while its branch's old names are being dropped.
  void stat(NodeId node, std::optional<HandleId> handle, Done<NodeStat> done);
  Result<NodeStat> set_attributes(const Caller& caller, NodeId node, std::optional<HandleId> handle,
                                  const store::AttributeChange& change);
  Result<std::string> xattr(NodeId node, std::string_view name);
  Result<std::vector<std::string>> xattr_names(NodeId node);
  Result<void> set_xattr(const Caller& caller, NodeId node, std::string_view name, std::string value, XattrMode mode);
  Result<void> remove_xattr(const Caller& caller, NodeId node, std::string_view name);
  Result<store::Store::Space> space() const;
  Timestamp now() const { return clock_.now(); }

  // ---- changes of names (vfs_changes.cc)

  /// Files, fifos, sockets and devices. Errors: kInvalid in the mount's root.
  Result<NameReply> make_node(const Caller& caller, NodeId directory, std::string_view name,
                              const store::MakeRequest& request);
  /// A directory; in the mount's root a branch. Errors there: kInvalid (no name of a branch).
  void make_directory(const Caller& caller, NodeId directory, std::string_view name,
                      std::uint32_t mode, Done<NameReply> done);
  /// A symlink; where S17 to S19 of docs/semantics.md say so, a retarget.
  void make_symlink(const Caller& caller, NodeId directory, std::string_view name,
                    std::string_view body, Done<NameReply> done);
  Result<void> remove_file(const Caller& caller, NodeId directory, std::string_view name);
  /// A directory; in the mount's root a branch. Errors there: kNotEmpty, kBusy.
  void remove_directory(const Caller& caller, NodeId directory, std::string_view name, Done<void> done);
  /// In the mount's root a branch. Errors there: kExists, kBusy (a pipeline's), kNotPermitted.
  void rename(const Caller& caller, NodeId from, std::string_view from_name, NodeId to,
              std::string_view to_name, store::RenameMode mode, Done<void> done);
  /// Another name for a file. Errors: kCrossDevice (between branches, commits and views),
  /// kNotPermitted (a directory, a control file).
  Result<NameReply> link(const Caller& caller, NodeId node, NodeId directory, std::string_view name);

  // ---- open files (vfs_files.cc)

  struct OpenMode {
    bool read = false;
    bool write = false;
    bool truncate = false;
  };
  Result<OpenReply> open(const Caller& caller, NodeId node, OpenMode mode);
  /// Makes a file and opens it. Errors: kExists; kStale where one is there and `request.exclusive` is not set: look it up again, and
  /// open it as one that is there.
  struct Created {
    NameReply name;
    OpenReply open;
  };
  Result<Created> create(const Caller& caller, NodeId directory, std::string_view name,
                         const store::MakeRequest& request, OpenMode mode);
  Result<std::size_t> read(const Caller& caller, HandleId handle, std::uint64_t offset, std::span<std::byte> out);
  struct WriteMode {
    bool append = false;      ///< at the end as it is, whatever `offset` says
    bool from_cache = false;  ///< pages of a shared mapping: nobody's write(2)
  };
  /// Bytes of a file; or one message for `.pfs/commit`, which is answered when the commit is
  /// durable.
  void write(const Caller& caller, HandleId handle, std::uint64_t offset,
             std::span<const std::byte> bytes, WriteMode mode, Done<std::size_t> done);
  /// By reference; at most 2 GiB a call, because kernels before 6.18 overflow near 4.
  Result<std::size_t> copy_range(const Caller& caller, HandleId source, std::uint64_t source_offset, HandleId target,
                                 std::uint64_t target_offset, std::size_t length);
  struct AllocateMode {
    bool keep_size = false;  ///< what lies behind the end stays there
    bool zero = false;       ///< the range reads as zeros afterwards
  };
  /// Makes sure that the range can be written, and the file at least as long. A range that is punched
  /// or zeroed is written with zeros, which a commit stores as good as not at all.
  /// Errors: kNoSpace. Source: fallocate(2).
  Result<void> allocate(const Caller& caller, HandleId handle, AllocateMode mode,
                        std::uint64_t offset, std::uint64_t length);
  /// Where data or a hole begins, from `offset` on; none where there is no more of it. What a shared mapping has changed is
  /// written first. Source: lseek(2).
  void seek(HandleId handle, std::uint64_t offset, store::Seek wanted, Done<std::optional<std::uint64_t>> done);
  Result<void> sync(HandleId handle);
  void release(HandleId handle);

  // ---- for the daemon

  /// A new, empty view.
  std::shared_ptr<ViewRoot> add_view(Ownership owner) { return views_.add(owner); }
  /// As ViewRoot::show(). Waits, for at most 1 s, until the kernel has forgotten what it knew of the tree before, and so
  /// whoever works in the view finds the new one; never on a thread that a kernel request waits for.
  void show_in_view(ViewRoot& view, store::TreePtr tree);
  /// Orphans what is open in it.
  void remove_view(ViewRoot& view);
  /// Sends what shared mappings have changed to the store, for at most 5 s. Returns false when that
  /// was not enough.
  bool write_back_all();
  /// A mount whose kernel caches nothing that can change is there, or is gone.
  void uncached_begins() { ++uncached_; }
  void uncached_ends() { --uncached_; }
  bool has_uncached() const { return uncached_ > 0; }
  /// Returns when nothing is parked any more.
  void drain() { parking_.drain(); }

  // ---- store::TreeObserver (vfs_observer.cc)

  void name_changed(const store::NodePtr& directory, const std::string& name,
                    const std::vector<store::NodePtr>& losers) override;
  void attributes_changed(const store::NodePtr& node) override;
  std::shared_ptr<void> trees_replacing(const std::set<BranchRef>& branches) override;
  void tree_replaced(const store::NodePtr& root, const std::vector<std::string>& names,
                     const std::vector<store::NodePtr>& orphans) override;
  void branch_changed(const BranchRef& branch) override;
  void commits_deleted(const RepoName& repo, const std::vector<CommitId>& commits) override;
  bool write_back(const BranchRef& branch) override;

 private:
  static constexpr std::chrono::milliseconds kWriteBackTimeout{5000};
  bool write_back_files(const std::optional<BranchRef>& branch);
  bool write_back_now(const std::vector<NodeId>& files);
  static thread_local bool serves_uncached;
  class ServesUncached;
  /// Has it carried out by the parking pool.
  void park(const Caller& caller, std::function<void()> work);
  /// Drops names, and waits for that a second at most, where no request of the kernel is behind it:
  /// the API's answer then comes after the last old look.
  void drop_names(NodeId directory, const std::vector<std::string>& names,
                  KernelCaches::Forget what = KernelCaches::Forget::kAll);
  /// A directory whose names are the store's: itself, or what a view shows at the moment.
  struct Stored {
    store::NodePtr node;
    std::shared_ptr<TreeContext> context;
  };
  struct Directory {
    InodePtr inode;
    Stored stored;
  };
  /// Errors: kNotFound (a view that shows nothing).
  Result<Stored> stored_directory(const Inode& inode) const;

  // what names in the directories of our own are
  Result<Found> find_in_root(std::string_view name);
  /// Errors: kUnavailable (it is being finished).
  Result<Found> find_commit(const CommitRef& ref, std::string_view name);
  /// None where the repo has no such commit, or none that is finished.
  Result<std::optional<store::Commit>> finished_commit(const CommitRef& ref) const;
  Result<Found> find_branch(const BranchRef& ref);
  Result<Found> find_head(const Caller& caller, const Inode& directory, std::string_view name);
  Result<Found> find_in_branch_control(const Caller& caller, const Inode& directory,
                                       std::string_view name);
  Result<Found> find_stored(const Inode& directory, std::string_view name);
  Result<Found> find(const Caller& caller, const Inode& directory, std::string_view name);
  Listing::Source names_of(const InodePtr& directory);
  Result<void> list_branches(store::Kind kind, std::string_view after, const Listing::Visit& visit);
  Result<std::string> body_of(const Inode& inode);

  Result<NameReply> remember(const Inode& directory, std::string_view name, const Found& found);
  /// `moved` may be null.
  void note_moved(const store::NodePtr& moved, NodeId directory, std::string_view name);
  void note_removed(NodeId directory, std::string_view name);
  void note_changed(const store::NodePtr& directory, std::string_view name);
  /// The id that a directory of a branch has, or had when the kernel knew it.
  std::optional<NodeId> noted(const store::NodePtr& directory);
  Result<InodePtr> remember_from_before(NodeId node);
  Result<NodeStat> stat_of(const Inode& inode);
  void show_as_branch(const store::Commit& commit, store::Attributes& attributes);
  void appear(store::Attributes& attributes) const;
  store::Stat synthetic_stat(const Inode& inode) const;
  BranchRef branch_of_root(const Inode& root) const;
  bool is_orphan(const Inode& inode) const;
  static bool is_immutable(const Inode& inode);
  /// Whether attributes of an orphan may be told: to whom has it open, but not to a walk that met
  /// its old name.
  bool is_told_of(const Inode& orphan) const;
  std::chrono::seconds validity(const Inode& inode) const;
  std::chrono::seconds attributes_validity(const Inode& inode) const;

  // whether a change is allowed at all; the kernel has checked the modes
  /// `name`: in that directory.
  Result<void> check_changeable(const Inode& inode, std::string_view name = {});
  Result<void> check_branch_for_people(const BranchRef& branch) const;
  /// A directory whose names are the store's, to make, remove or rename `name` in.
  /// Errors: kInvalid (in the mount's root), kNotPermitted (in `.pfs`; a reserved name), kStale,
  /// kReadOnly.
  Result<Directory> directory_for_change(NodeId directory, std::string_view name);
  /// May the caller write in the branch's top directory? For control files, whose own modes let
  /// everybody in.
  Result<void> check_may_write(const Caller& caller, const BranchRef& branch);
  /// May the caller read what the commit's branch shows?
  Result<void> check_may_read(const Caller& caller, const CommitRef& target);
  void clear_privileges(const Caller& caller, Inode& inode);
  bool has_no_privileges_after(const Caller& caller, const Inode& inode);
  Result<std::string> commit_of_last_change(const Inode& inode);

  static void made_by(const Caller& caller, store::MakeRequest& request);
  Result<store::NodePtr> make_stored(const Directory& directory, std::string_view name,
                                     store::MakeRequest request);
  Result<NameReply> remember_made(const Directory& directory, std::string_view name,
                                  store::NodePtr node);
  Result<NameReply> make_branch(const BranchRef& ref, std::uint32_t uid, std::uint32_t gid,
                                std::uint32_t mode);
  void rename_branch(const Caller& caller, std::string_view from_name, std::string_view to_name,
                     Done<void> done);
  Result<void> rename_stored(const Caller& caller, NodeId from, std::string_view from_name, NodeId to,
                             std::string_view to_name, store::RenameMode mode);
  Result<OpenReply> open_stored(const Caller& caller, const InodePtr& inode, OpenMode mode);
  Result<std::optional<std::uint64_t>> seek_stored(const Inode& inode, std::uint64_t offset, store::Seek wanted);
  Result<void> allocate_stored(const Caller& caller, Inode& inode, AllocateMode mode, std::uint64_t offset,
                               std::uint64_t length);
  Result<std::size_t> write_stored(const Caller& caller, Inode& inode, std::uint64_t offset,
                                   std::span<const std::byte> bytes, WriteMode mode);
  Result<void> write_pages(const Inode& inode, std::uint64_t offset, std::span<const std::byte> bytes);
  Result<void> write_bytes(const Caller& caller, const Inode& inode, std::uint64_t offset, std::span<const std::byte> bytes);
  Result<void> append_bytes(const Caller& caller, const Inode& inode, std::uint64_t offset, std::span<const std::byte> bytes);
  OpenReply add_handle(const Caller& caller, const InodePtr& inode, OpenMode mode, std::string text);

  // changes that come by a mount that is not cached, in the kernel caches of the one that is; nothing for all others
  // (vfs_uncached.cc). Each waits until the kernel has forgotten, so that who looks there after the answer sees the change.
  /// Another node, or none, has the name now.
  void forget_name(const Caller& caller, NodeId directory, std::string_view name,
                   KernelCaches::Forget what = KernelCaches::Forget::kAll);
  /// Of the node: its attributes.
  void forget_attributes(const Caller& caller, NodeId node);
  ContendedFiles::Drop drop_of(NodeId file);
  /// The file was changed past the kernel: a range of it; all where `length` is 0.
  void drop_pages(NodeId file, std::uint64_t offset = 0, std::uint64_t length = 0);
  /// After a change of content by the mount whose pages are kept, for which its kernel drops them.
  void kernel_drops_pages(const Caller& caller, const Inode& file);
  /// Carries out a change of bytes that can be repeated: until no page of a shared mapping has been written back over it.
  Result<void> change_content(const Caller& caller, const Inode& file, std::uint64_t offset, std::uint64_t length,
                              const std::function<Result<void>()>& change);
  /// After a write by the mount whose pages are kept, where others write the same file: those that may be without it are dropped
  /// before it is answered.
  void correct_pages(const Caller& caller, NodeId file, std::uint64_t offset, std::uint64_t length);
  /// Before bytes of a file are changed or copied: what a shared mapping has of it is older.
  void write_back_before(const Caller& caller, const Inode& file);
  void forget_attributes(const Caller& caller, const store::NodePtr& node);
  /// What has the name, to be told of after a change that takes it; null where nobody is to be told.
  store::NodePtr node_at(const Caller& caller, const Stored& directory, std::string_view name) const;

  // control files and the ways of moving a HEAD (vfs_control.cc)
  Result<void> retarget(const Caller& caller, const BranchRef& branch, const CommitRef& target);
  std::optional<BranchRef> branch_finishing(std::string_view name) const;
  void park_retarget(const Caller& caller, const BranchRef& branch, const CommitRef& target,
                     const InodePtr& directory, std::string name, std::string body,
                     Done<NameReply> done);
  Result<NameReply> passing_link(const Inode& directory, std::string_view name, std::string body);
  Result<void> remove_head_link(const Caller& caller, const Inode& directory,
                                std::string_view name);
  Result<std::string> control_text(const Inode& inode);
  void make_head_link(const Caller& caller, const InodePtr& directory, std::string_view name,
                      std::string_view body, Done<NameReply> done);
  void rename_head_link(const Caller& caller, const Inode& directory, std::string_view from,
                        std::string_view to, Done<void> done);
  std::optional<BranchRef> branch_of_pointer(const Inode& directory, std::string_view name) const;
  void finish_by_message(const Caller& caller, const BranchRef& branch, std::string_view message,
                         Done<std::size_t> done);

  /// Where a node or a name in it is, for messages: `data@master/a/b`.
  std::string where(const Inode& inode) const;
  std::string where(const Inode& directory, std::string_view name) const;

  store::Store& store_;
  store::Catalog& catalog_;
  store::LiveTrees& trees_;
  KernelCaches& caches_;
  const Clock& clock_;
  const std::uint32_t uid_;
  const std::uint32_t gid_;
  const store::PolicySettings new_branches_;
  const Appearance appearance_;
  const Timestamp started_;
  SharedInputs shared_inputs_;  // before the inodes, which hold what it shares
  const std::string socket_path_;
  NodeNames* const node_names_;
  InodeTable inodes_;
  HandleTable handles_;
  /// Retargets whose old names a walk may still meet. Atomic, because every stat looks; lowered under the mutex, for those
  /// who wait for it.
  std::atomic<int> drops_under_way_ = 0;
  Mutex drops_mutex_{LockRank::kLeaf};
  Condition drops_ended_;
  std::atomic<int> uncached_ = 0;  // asked for every name that is told, which need not know of one that just begins
  ContendedFiles contended_files_;
  ChangesUnderWay changes_under_way_;
  PassingLinks passing_links_;
  Views views_;
  Parking parking_;  // last: its threads use all of the above
};

}  // namespace pfs::fs
