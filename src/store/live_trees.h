#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "store/types.h"

namespace pfs::store {

class Tree;
class LiveNode;
/// A directory tree that can be walked: a branch's live content, a commit's, or a job's view.
using TreePtr = std::shared_ptr<Tree>;
/// The identity of a file or directory in a Tree: as long as somebody holds it, the same name gives the same
/// pointer, whatever is renamed or committed meanwhile. What an inode of the mount refers to.
using NodePtr = std::shared_ptr<LiveNode>;

/// What stat(2) tells of a node.
struct Stat {
  Attributes attributes;
  std::uint64_t size = 0;   ///< bytes; of a directory the bytes below it as far as known
  std::uint32_t links = 1;  ///< names; 1 for directories, as on btrfs; 0 for a file that is open and unlinked
  std::uint64_t link_id = 0;  ///< the same for all names of a file within its tree; 0 for a file with one name
};

/// A name in a listing; `stat` is what a lookup would tell, without making a node.
struct ListedEntry {
  std::string name;
  Stat stat;
};

struct MakeRequest {
  Kind kind = Kind::kFile;
  std::uint32_t mode = 0644;
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  std::uint64_t rdev = 0;
  std::string target;     ///< symlinks
  bool exclusive = true;  ///< false: an existing file is returned as it is (open(2) without O_EXCL)
};

/// A change of attributes; what is not set stays.
struct AttributeChange {
  std::optional<std::uint32_t> mode;
  std::optional<std::uint32_t> uid;
  std::optional<std::uint32_t> gid;
  std::optional<std::uint64_t> size;
  std::optional<Timestamp> mtime;
};

/// What becomes of a name: a finished entry, whatever was there, or (nullopt) nothing.
struct EntryPut {
  NodePtr directory;
  std::string name;
  std::optional<Entry> entry;
};

/// What becomes of a directory that stays.
struct DirectoryChange {
  NodePtr directory;
  std::uint32_t mode = 0;
  Timestamp mtime;
};

/// The most names that a file may have, as on ext4: a change of the file changes the directories of all of them.
inline constexpr std::size_t kMaxLinks = 65'000;

/// How many directories a directory may be below its root. What goes through trees goes level by level on its stack, for which
/// pfsd's threads have the room (daemon/main.cc).
inline constexpr std::size_t kMaxLevels = 1024;

enum class RenameMode {
  kReplace,
  kNoReplace,
  kExchange,  ///< each name leads to what the other led to
};

/// How a node stands to the tree it came from.
enum class NodeState {
  kLinked,    ///< reachable by its name
  kRemoved,   ///< unlinked or replaced; open handles go on
  kOrphaned,  ///< its branch points elsewhere now: reads go on, everything by name is kStale
};

/// What to look for in a file.
enum class Seek {
  kData,
  kHole,  ///< zeros that take no room; the end of a file counts as one
};

/// The live content of branches, finished commits and jobs' views: base trees with a durable delta over them.
///
/// One object a store, thread-safe. Every change is in the database when the call returns, so it survives a killed
/// process; written bytes are in the staging log at once, too. sync() is what survives a power cut.
/// Nothing here waits for a commit: a tree can be frozen while it is being written.
/// Errors of every call that changes: kReadOnly (a commit's tree), kStale (an orphaned directory), kNoSpace.
/// Source: docs/architecture.md "Open commits", docs/semantics.md.
class LiveTrees {
 public:
  virtual ~LiveTrees() = default;

  // ---- trees

  /// The live tree of a branch that exists (the caller has it from the Catalog). kNotFound otherwise.
  virtual Result<TreePtr> branch(const BranchRef& ref) = 0;
  /// A finished commit's tree: read-only. The same commit gives the same Tree while somebody holds it.
  virtual Result<TreePtr> commit(const Commit& commit) = 0;
  /// A writable tree of nobody's, empty, for a job's datum; its rows go when the last TreePtr does, or at the next start.
  virtual Result<TreePtr> scratch() = 0;
  /// The same, beginning with what `base` has.
  virtual Result<TreePtr> scratch_over(const FinishedTree& base) = 0;
  /// An empty one of which only what is below the root's name `published` is to be committed: nothing else of it is put into packs
  /// while it is written.
  virtual Result<TreePtr> scratch_view(std::string_view published) = 0;

  virtual NodePtr root(const TreePtr& tree) = 0;
  /// The branch whose live tree the node is in; nullopt for commits and scratch trees.
  virtual std::optional<BranchRef> branch_of(const NodePtr& node) = 0;
  virtual NodeState state(const NodePtr& node) = 0;
  virtual Kind kind(const NodePtr& node) const = 0;
  virtual bool writable(const NodePtr& node) const = 0;
  /// Where the node is, from the root of its tree, for messages: `/a/b`.
  virtual std::string path(const NodePtr& node) = 0;
  /// The same, to look it up elsewhere.
  virtual RepoPath repo_path(const NodePtr& node) = 0;
  /// A commit's tree and everything that has not changed since: kernel caches may keep it for ever when the tree is a commit's.
  virtual bool immutable(const NodePtr& node) const = 0;

  // ---- reading

  /// Errors: kNotFound, kNotDirectory, kStale.
  virtual Result<NodePtr> lookup(const NodePtr& directory, std::string_view name) = 0;
  /// lookup() along a path. Symlinks are not followed.
  virtual Result<NodePtr> walk(const NodePtr& directory, const RepoPath& path) = 0;
  virtual Result<Stat> stat(const NodePtr& node) = 0;
  /// Names after `after` in the order of their bytes; the callback returns false to stop. Works on orphans too.
  virtual Result<void> list(const NodePtr& directory, std::string_view after,
                            const std::function<bool(const ListedEntry&)>& visit) = 0;
  /// Shape: how many bytes were read; fewer than asked only at the end of the file.
  virtual Result<std::size_t> read(const NodePtr& file, std::uint64_t offset, std::span<std::byte> out) = 0;
  /// The first byte at `offset` or behind it that is data, or in a hole; none where the file has no more of it. Small holes may
  /// count as data. Source: lseek(2), SEEK_DATA.
  virtual Result<std::optional<std::uint64_t>> seek(const NodePtr& file, std::uint64_t offset, Seek wanted) = 0;
  virtual Result<std::string> read_link(const NodePtr& symlink) = 0;
  virtual Result<Xattrs> xattrs(const NodePtr& node) = 0;
  /// The finished entry of a node that has not changed since its base (name empty for a root); nullopt when it has.
  virtual Result<std::optional<Entry>> finished_entry(const NodePtr& node) = 0;

  // ---- changing

  virtual Result<NodePtr> make(const NodePtr& directory, std::string_view name, const MakeRequest& request) = 0;
  /// Errors: kNotFound, kNotEmpty, kIsDirectory or kNotDirectory as unlink(2) and rmdir(2).
  virtual Result<void> remove(const NodePtr& directory, std::string_view name, bool is_directory) = 0;
  /// Another name for a file (or anything else that is no directory) in its own tree; both are one node from then on.
  /// Errors: kNotPermitted (a directory), kCrossDevice (another tree), kExists, kTooManyLinks (over kMaxLinks names),
  /// kNotFound (the file has been removed). Source: link(2).
  virtual Result<void> link(const NodePtr& file, const NodePtr& directory, std::string_view name) = 0;
  /// Across branches too: one row moves, whatever is below it; both branches' next commits are published together. Hard links
  /// below a directory that moves cost a row for each name. A name onto another name of the same file changes nothing.
  /// Errors as rename(2); kInvalid for a directory into itself; kCrossDevice across branches when a file would keep names
  /// on both sides, and for an exchange.
  virtual Result<void> rename(const NodePtr& from, std::string_view from_name, const NodePtr& to, std::string_view to_name,
                              RenameMode mode) = 0;
  virtual Result<Stat> set_attributes(const NodePtr& node, const AttributeChange& change) = 0;
  /// Errors: kTooLarge (over 64 KiB of value), kNoSpace (over 64 KiB of names, or 1 MiB in all). Source: xattr(7).
  virtual Result<void> set_xattr(const NodePtr& node, std::string_view name, std::optional<std::string> value) = 0;

  /// Writes all of `bytes`.
  virtual Result<void> write(const NodePtr& file, std::uint64_t offset, std::span<const std::byte> bytes) = 0;
  /// Appends at the end as it is at that moment; returns the offset.
  virtual Result<std::uint64_t> append(const NodePtr& file, std::span<const std::byte> bytes) = 0;
  /// A reference copy of a range between files of any trees: no byte is read. Returns how many bytes, fewer than
  /// asked at the end of the source.
  virtual Result<std::uint64_t> copy_range(const NodePtr& source, std::uint64_t source_offset, const NodePtr& target,
                                           std::uint64_t target_offset, std::uint64_t length) = 0;
  /// A reference copy of a file or a whole directory to a name, replacing a file that has it. A directory with
  /// uncommitted changes is turned into a finished tree first, so the cost follows those. Files that are linked to each other
  /// below the directory are so in the copy, and never with the originals. Errors: kExists (the name is a directory).
  virtual Result<NodePtr> copy_entry(const NodePtr& source, const NodePtr& directory, std::string_view name) = 0;
  /// Puts a finished entry at a name of a directory, replacing what is there (a directory too). Links as for copy_entry().
  /// Shape: returns the loaded nodes that have lost a name by it: what was there, and files with other names below it.
  virtual Result<std::vector<NodePtr>> put_entry(const NodePtr& directory, std::string_view name, const Entry& entry) = 0;

  /// Any number of put_entry(), removals of names with all that is below them, and changes of directories, in one batch: no
  /// commit has, and no crash leaves, a part of them. Names of files with several names, and directories with such files in
  /// them, are put before the rest, one by one. Each name once; a name that is to go may be missing. A loaded file with one
  /// name that another one is put over stays the node that it is, with the other's content and attributes.
  /// Shape: the loaded nodes that have lost a name by it, and those files.
  virtual Result<std::vector<NodePtr>> put_entries(std::span<const EntryPut> puts,
                                                   std::span<const DirectoryChange> directories) = 0;

  /// Survives a power cut when it returns. Source: fsync(2).
  virtual Result<void> sync(const NodePtr& node) = 0;

  /// Counts writable handles: a file is *being written* from its first write until the last one is released.
  /// `pid`: the process, for messages; 0 where it is not known.
  virtual void opened_for_write(const NodePtr& file, pid_t pid = 0) = 0;
  virtual void released_for_write(const NodePtr& file) = 0;

  // ---- finishing

  /// The directory as it is now as a finished tree. Its objects are stored, durable at the next LocalDb::sync();
  /// the live directory stays as it is.
  virtual Result<Subtree> snapshot(const NodePtr& directory) = 0;
  /// While it is held, no collection takes what was stored, or found to be there, since: for whoever has a snapshot that no commit and
  /// no row refers to yet.
  virtual std::shared_ptr<void> hold_objects() = 0;
};

/// Told of changes to live trees that did not come through the mount, so that kernel caches can be invalidated.
/// Called without locks held; may be called from any thread.
class TreeObserver {
 public:
  virtual ~TreeObserver() = default;
  /// `name` of `directory` was added, replaced or removed by the API or a job; `losers` have a name less by that, or, where
  /// they are linked still, maybe another content.
  virtual void name_changed(const NodePtr& directory, const std::string& name, const std::vector<NodePtr>& losers) = 0;
  virtual void attributes_changed(const NodePtr& node) = 0;
  /// These branches are about to point elsewhere, or to be deleted. Shape: what is let go of once they do, or once that has failed.
  virtual std::shared_ptr<void> trees_replacing(const std::set<BranchRef>& branches) = 0;
  /// A branch points elsewhere: everything known below its root is orphaned, and the root's own content is another.
  /// `names` are the top-level names that were known; `orphans` what somebody still holds, some thousands at most: what was
  /// at the top, and directories below, by which every walk to the others goes.
  virtual void tree_replaced(const NodePtr& root, const std::vector<std::string>& names,
                             const std::vector<NodePtr>& orphans) = 0;
  /// A branch was made, deleted or finished a commit: names in the mount's root and `.pfs` may have changed.
  virtual void branch_changed(const BranchRef& branch) = 0;
  /// Commits were deleted, by themselves or with their repo: what is open of them can be read on, their names lead nowhere.
  virtual void commits_deleted(const RepoName& repo, const std::vector<CommitId>& commits) = 0;
  /// A commit of the branch was asked for: what programs have stored through shared mappings of its files is to be
  /// written first. Returns false when that could not be done in a few seconds; the commit is made without.
  virtual bool write_back(const BranchRef& branch) = 0;
};

}  // namespace pfs::store
