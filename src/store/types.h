#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/ids.h"
#include "base/names.h"
#include "store/branch_trigger.h"
#include "store/commit_policy.h"

namespace pfs::store {

struct EpochTag;
struct SeqTag;
struct TreeIdTag;
struct DirIdTag;
struct FileIdTag;
/// The store's one clock of freezes: rows written since the last freeze carry the current epoch.
using Epoch = Id<EpochTag>;
/// The order of commits to a RefDb.
using Seq = Id<SeqTag>;
/// A live tree: 0 for all branches, a number of its own for each job's view.
using TreeId = Id<TreeIdTag, std::uint32_t>;
/// A live directory or file: tree number in the high half, a counter in the low. Never reused.
using DirId = Id<DirIdTag>;
using FileId = Id<FileIdTag>;

/// What a content-addressed object is. Part of its name. Source: docs/format.md "Objects".
enum class ObjectKind : std::uint8_t {
  kChunk = 1,   ///< bytes of files; named by their plain SHA-256
  kNode = 2,    ///< a node of a directory's search tree
  kList = 3,    ///< a node of a file's list of chunks
  kCommit = 4,  ///< a commit
  kXattrs = 5,  ///< extended attributes over 256 bytes
  kRefs = 7,    ///< a snapshot of the refs
};

/// The kind of a directory entry. Source: sys_stat.h(0P).
enum class Kind : std::uint8_t {
  kFile = 1,
  kDirectory = 2,
  kSymlink = 3,
  kFifo = 4,
  kSocket = 5,
  kBlockDevice = 6,
  kCharacterDevice = 7,
};

/// What stat(2) tells of an entry beside its content.
struct Attributes {
  Kind kind = Kind::kFile;
  std::uint32_t mode = 0;  ///< permission bits, 07777
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  std::uint64_t rdev = 0;  ///< devices only
  Timestamp mtime;
  Timestamp ctime;

  bool operator==(const Attributes&) const = default;
};

/// The bytes of a finished file or symlink: a function of the bytes and the chunker's version alone, so
/// equal bytes have equal Contents.
struct Content {
  enum class Form : std::uint8_t {
    kInline = 0,  ///< the bytes themselves, at most kMaxInline
    kChunk = 1,   ///< one chunk: `digest` is its SHA-256
    kList = 2,    ///< a list of chunks: `digest` is its root node
  };
  static constexpr std::size_t kMaxInline = 128;

  Form form = Form::kInline;
  std::uint64_t size = 0;
  Digest digest;      ///< kChunk, kList
  std::string bytes;  ///< kInline

  /// The file's data digest: SHA-256 of the bytes (kInline, kChunk), or of a tag, the chunker's version and
  /// the list's root. Source: docs/format.md "Digests".
  Digest data_digest() const;
  bool operator==(const Content&) const = default;
};

/// What lies below a directory.
struct Totals {
  std::uint64_t files = 0;  ///< entries that are not directories
  std::uint64_t bytes = 0;  ///< their sizes
  std::uint64_t links = 0;  ///< names with a link id

  bool operator==(const Totals&) const = default;
};

/// A finished directory: the root of its search tree.
struct Subtree {
  Digest root;         ///< names it whole: equal roots are equal directories, attributes included
  Digest data_digest;  ///< of names, kinds, exec bits and bytes only: what a pipeline must look at again
  Totals totals;

  bool operator==(const Subtree&) const = default;
};

/// By name. In an Entry a big set is kept as a reference to an object; LiveTrees::xattrs() tells what it holds.
using Xattrs = std::map<std::string, std::string>;

/// A name in a finished directory.
struct Entry {
  std::string name;
  Attributes attributes;
  Content content;  ///< files; symlinks (their target)
  Subtree subtree;  ///< directories
  std::uint64_t link_id = 0;  ///< names of one file share it; 0 for a file with one name
  Xattrs xattrs;

  bool is_directory() const { return attributes.kind == Kind::kDirectory; }
  std::uint64_t size() const { return is_directory() ? subtree.totals.bytes : content.size; }
  Digest data_digest() const;
  bool operator==(const Entry&) const = default;
};

/// The root of an empty directory: known to every store, stored in none.
const Subtree& empty_subtree();

/// A commit: finished and immutable. Source: docs/format.md "Commits".
struct Commit {
  CommitId id;
  RepoName repo;
  BranchName branch;  ///< where it was made; it may since be the HEAD of others, or of none
  std::optional<CommitId> parent;
  Subtree root;
  Digest links = empty_subtree().root;  ///< the side tree: which names each hard link below `root` has
  std::uint64_t generation = 1;   ///< 1 for the first of a chain
  std::optional<CommitId> skip;   ///< a farther ancestor, so that `^N` takes O(log N) reads
  std::uint64_t skip_generation = 0;
  Timestamp started;
  Timestamp finished;
  std::string author;
  std::string description;
  /// The commits that this one was made from, of other repos; empty for what people commit.
  struct Cause {
    BranchRef branch;
    CommitId commit;
    bool operator==(const Cause&) const = default;
  };
  std::vector<Cause> provenance;

  bool operator==(const Commit&) const = default;
};

/// A finished tree that no commit has yet, with its side tree.
struct FinishedTree {
  Subtree root = empty_subtree();
  Digest links = empty_subtree().root;
};

/// Whom a directory belongs to.
struct DirectoryOwner {
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
};

struct Repo {
  RepoName name;
  std::string description;
  Timestamp created;
};

struct Branch {
  BranchRef ref;
  std::optional<CommitId> head;  ///< the newest finished commit
  CommitId open;                 ///< the id that the next commit will have, known from the start
  std::optional<CommitId> finishing;  ///< frozen, not published yet; asked of the live trees, not stored
  bool opened_by_hand = false;   ///< by `start commit`: ends with `finish commit` only
  Timestamp opened;              ///< when it was opened by hand
  std::string open_description;
  std::string output_of;         ///< the pipeline that alone writes it; empty for the branches of people
  std::uint64_t log_length = 0;  ///< how many HEAD moves its log holds
  Timestamp created;
  PolicySettings policy;         ///< its own; what it leaves open is the daemon's
  std::vector<BranchRef> provenance;     ///< the branches that its content is made from, as somebody said
  std::optional<BranchTrigger> trigger;  ///< never beside a provenance
  std::optional<DirectoryOwner> owner;   ///< of its root from the start; not set: the daemon's user
  std::optional<FinishedTree> open_tree;  ///< what the commit that was opened by hand begins with, where that is not HEAD's tree
};

/// One line of a branch's log: HEAD was moved.
struct LogEntry {
  std::uint64_t number = 0;  ///< from 1 on, never reused, also when the branch is deleted and made again
  std::optional<CommitId> old_head;
  CommitId new_head;
  Timestamp when;
  std::string why;  ///< `commit`, `retarget`, `created`
};

/// A HEAD that a transaction moves; what hooks and listeners are told.
struct HeadMove {
  BranchRef branch;
  std::optional<CommitId> old_head;
  Commit new_head;
  std::uint64_t log_number = 0;
};

}  // namespace pfs::store
