#include "api/internal/file_find.h"

#include <algorithm>
#include <span>

#include <fmt/format.h>

#include "api/internal/live_branch.h"
#include "api/wire/time.h"
#include "store/chunk/sha256.h"
#include "store/glob.h"

namespace pfs::api {
namespace {

constexpr std::size_t kReadBytes = 1 << 20;

v1::FileKind wire_kind(store::Kind kind) {
  switch (kind) {
    case store::Kind::kFile: return v1::FILE_KIND_FILE;
    case store::Kind::kDirectory: return v1::FILE_KIND_DIRECTORY;
    case store::Kind::kSymlink: return v1::FILE_KIND_SYMLINK;
    case store::Kind::kFifo:
    case store::Kind::kSocket:
    case store::Kind::kBlockDevice:
    case store::Kind::kCharacterDevice: return v1::FILE_KIND_OTHER;
  }
  return v1::FILE_KIND_OTHER;
}

v1::FileInfo file_info(const RepoPath& path, const store::Attributes& attributes,
                       std::uint64_t size) {
  v1::FileInfo info;
  info.set_path(path.str());
  info.set_kind(wire_kind(attributes.kind));
  info.set_size(size);
  info.set_mode(attributes.mode);
  set_time(info.mutable_modified(), attributes.mtime);
  return info;
}

/// Alike to who looks at names, kinds, modes and bytes. What is below directories is not looked at.
bool alike(const store::Entry& a, const store::Entry& b) {
  if (a.attributes.kind != b.attributes.kind || a.attributes.mode != b.attributes.mode)
    return false;
  return a.is_directory() || a.content == b.content;
}

bool same_version(const std::optional<store::Entry>& a, const std::optional<store::Entry>& b) {
  if (!a || !b) return !a && !b;
  if (a->is_directory() && b->is_directory())
    return a->subtree.data_digest == b->subtree.data_digest;
  return alike(*a, *b);
}

RepoPath below(const RepoPath& path, const std::string& relative) {
  RepoPath result = path;
  for (std::size_t at = 0; at < relative.size();) {
    const auto end = std::min(relative.find('/', at), relative.size());
    result = result.joined(relative.substr(at, end - at));
    at = end + 1;
  }
  return result;
}

}  // namespace

v1::FileInfo file_info(const RepoPath& path, const store::Stat& stat) {
  return file_info(path, stat.attributes, stat.size);
}

v1::FileInfo file_info(const RepoPath& path, const store::Entry& entry) {
  return file_info(path, entry.attributes, entry.size());
}

Result<void> FileFinder::list_below(const store::NodePtr& directory, const RepoPath& path,
                                    bool checksum, const SendFile& send) {
  auto& trees = store_.trees();
  return for_each_entry(trees, directory, [&](const store::ListedEntry& entry) -> Result<void> {
    const auto entry_path = path.joined(entry.name);
    auto info = file_info(entry_path, entry.stat);
    const auto kind = entry.stat.attributes.kind;
    const bool is_directory = kind == store::Kind::kDirectory;
    const bool is_symlink = kind == store::Kind::kSymlink;
    if (!is_directory && !is_symlink && !checksum) return send(info);
    const auto node = trees.lookup(directory, entry.name);
    if (!node && node.error().code == Code::kNotFound) return {};  // removed since it was listed
    if (!node) return node.error();
    if (is_symlink) {
      PFS_TRY_ASSIGN(*info.mutable_link_target(), trees.read_link(*node));
    }
    if (checksum) PFS_TRY(add_checksum(*node, info));
    PFS_TRY(send(info));
    if (!is_directory) return {};
    return list_below(*node, entry_path, checksum, send);
  });
}

Result<void> FileFinder::add_checksum(const store::NodePtr& node, v1::FileInfo& info) {
  auto& trees = store_.trees();
  if (trees.kind(node) != store::Kind::kFile) return {};
  PFS_TRY_ASSIGN(const auto entry, trees.finished_entry(node));
  if (entry && entry->content.form == store::Content::Form::kChunk) {
    const auto& digest = entry->content.digest.array();
    info.set_sha256(digest.data(), digest.size());
    return {};
  }
  store::Sha256 hash;
  std::string buffer(kReadBytes, '\0');
  for (std::uint64_t offset = 0;;) {
    PFS_TRY_ASSIGN(const auto got,
                   trees.read(node, offset, std::as_writable_bytes(std::span(buffer))));
    if (got == 0) break;
    hash.add(std::string_view(buffer).substr(0, got));
    offset += got;
  }
  const auto digest = hash.finish();
  info.set_sha256(digest.array().data(), digest.array().size());
  return {};
}

Result<store::Subtree> FileFinder::finished(const CommitRef& ref) {
  auto& trees = store_.trees();
  PFS_TRY_ASSIGN(const auto tree, tree_of(store_, ref));
  const auto root = trees.root(tree);
  PFS_TRY_ASSIGN(const auto entry, trees.finished_entry(root));
  if (entry) return entry->subtree;
  return trees.snapshot(root);
}

Result<void> FileFinder::glob(const CommitRef& ref, const std::string& pattern,
                              const SendFile& send) {
  PFS_TRY_ASSIGN(const auto glob, store::Glob::parse(pattern));
  PFS_TRY_ASSIGN(const auto root, finished(ref));
  Result<void> outcome;
  PFS_TRY(glob.visit(store_.tree_reader(), root, [&](const store::GlobMatch& match) {
    auto info = file_info(match.path, match.entry);
    if (match.path.is_root()) info.set_size(root.totals.bytes);
    outcome = send(info);
    return outcome.has_value();
  }));
  return outcome;
}

Result<std::optional<store::Entry>> FileFinder::entry_at(const store::Subtree& root,
                                                         const RepoPath& path) {
  if (!path.is_root()) return store_.tree_reader().find_path(root.root, path);
  store::Entry entry;
  entry.attributes.kind = store::Kind::kDirectory;
  entry.subtree = root;
  return std::optional(std::move(entry));
}

Result<std::optional<store::Commit>> FileFinder::before(const CommitRef& ref) {
  auto& catalog = store_.catalog();
  std::optional<store::Commit> commit;
  if (ref.branch && ref.ancestry.direction == Ancestry::Direction::kNone) {
    const BranchRef branch{ref.repo, *ref.branch};
    PFS_TRY_ASSIGN(const auto record, catalog.branch(branch));
    if (!record.head) return commit;
    PFS_TRY_ASSIGN(commit, catalog.commit(*record.head));
    PFS_TRY_ASSIGN(const auto open, catalog.open_commit(branch));
    if (open.changed || open.by_hand) return commit;
  } else {
    PFS_TRY_ASSIGN(commit, catalog.resolve(ref));
  }
  if (!commit->parent) return std::optional<store::Commit>();
  PFS_TRY_ASSIGN(commit, catalog.commit(*commit->parent));
  return commit;
}

Result<void> FileFinder::diff(const FileRef& new_file, const std::optional<FileRef>& old_file,
                              bool shallow, const SendDifference& send) {
  Sides sides;
  sides.new_path = new_file.path;
  sides.old_path = old_file ? old_file->path : new_file.path;
  sides.shallow = shallow;
  PFS_TRY_ASSIGN(sides.new_root, finished(new_file.commit));
  if (old_file) {
    PFS_TRY_ASSIGN(sides.old_root, finished(old_file->commit));
    return diff_sides(sides, send);
  }
  PFS_TRY_ASSIGN(const auto commit, before(new_file.commit));
  sides.old_root = commit ? commit->root : store::empty_subtree();
  return diff_sides(sides, [&](const v1::FileDifference& difference) {
    if (!commit) return send(difference);
    auto with_commit = difference;
    with_commit.set_old_commit(commit->id.hex());
    return send(with_commit);
  });
}

Result<void> FileFinder::diff_sides(const Sides& sides, const SendDifference& send) {
  PFS_TRY_ASSIGN(const auto old_entry, entry_at(sides.old_root, sides.old_path));
  PFS_TRY_ASSIGN(const auto new_entry, entry_at(sides.new_root, sides.new_path));
  if (!old_entry && !new_entry) {
    return Error{Code::kNotFound, fmt::format("{}: no such file or directory, before or after",
                                              printable(sides.new_path.str()))};
  }
  const auto& nothing = store::empty_subtree().root;
  const bool old_directory = old_entry && old_entry->is_directory();
  const bool new_directory = new_entry && new_entry->is_directory();
  if (!old_directory || !new_directory) {
    if (old_entry && new_entry && alike(*old_entry, *new_entry)) return {};
    v1::FileDifference difference;
    if (old_entry) *difference.mutable_old_file() = file_info(sides.old_path, *old_entry);
    if (new_entry) *difference.mutable_new_file() = file_info(sides.new_path, *new_entry);
    PFS_TRY(send(difference));
    if (sides.shallow) return {};
  }
  return diff_below(old_directory ? old_entry->subtree.root : nothing,
                    new_directory ? new_entry->subtree.root : nothing, sides, send);
}

Result<void> FileFinder::diff_below(const Digest& old_root, const Digest& new_root,
                                    const Sides& sides, const SendDifference& send) {
  store::DiffOptions options;
  options.recursive = !sides.shallow;
  Result<void> outcome;
  const auto visit = [&](const store::Difference& found) {
    const auto& old_entry = found.before;
    const auto& new_entry = found.after;
    if (old_entry && new_entry && alike(*old_entry, *new_entry) &&
        (options.recursive || same_version(old_entry, new_entry)))
      return true;
    v1::FileDifference difference;
    if (old_entry)
      *difference.mutable_old_file() = file_info(below(sides.old_path, found.path), *old_entry);
    if (new_entry)
      *difference.mutable_new_file() = file_info(below(sides.new_path, found.path), *new_entry);
    outcome = send(difference);
    return outcome.has_value();
  };
  PFS_TRY(store_.tree_reader().diff(old_root, new_root, options, visit));
  return outcome;
}

Result<void> FileFinder::versions(const FileRef& file, std::uint64_t limit,
                                  const SendVersion& send) {
  auto& catalog = store_.catalog();
  PFS_TRY_ASSIGN(auto commit, catalog.resolve(file.commit));
  PFS_TRY_ASSIGN(auto entry, entry_at(commit.root, file.path));
  std::uint64_t sent = 0;
  bool found = entry.has_value();
  while (limit == 0 || sent < limit) {
    std::optional<store::Commit> parent;
    std::optional<store::Entry> older;
    if (commit.parent) {
      PFS_TRY_ASSIGN(parent, catalog.commit(*commit.parent));
      PFS_TRY_ASSIGN(older, entry_at(parent->root, file.path));
      found = found || older;
    }
    if (!same_version(older, entry)) {
      v1::FileVersion version;
      version.set_commit(commit.id.hex());
      set_time(version.mutable_committed(), commit.finished);
      if (entry) *version.mutable_file() = file_info(file.path, *entry);
      PFS_TRY(send(version));
      ++sent;
    }
    if (!parent) break;
    commit = *std::move(parent);
    entry = std::move(older);
  }
  if (found) return {};
  return Error{Code::kNotFound,
               fmt::format("{}: no commit has such a file or directory", printable(file.str()))};
}

}  // namespace pfs::api
