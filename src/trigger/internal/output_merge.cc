#include "trigger/internal/output_merge.h"

#include <fmt/format.h>

#include "base/names.h"

namespace pfs::trigger {

namespace {

using store::Entry;
using store::Kind;
using store::NodePtr;

constexpr const char* kMerged = "merged";
constexpr const char* kPiece = "piece";  // where a file stands while it is appended to another, or copied

}  // namespace

Result<OutputMerge> OutputMerge::begin(store::LiveTrees& trees, const store::TreeReader& reader, SamePath same_path) {
  OutputMerge merge(trees, reader, same_path);
  PFS_TRY_ASSIGN(merge.tree_, trees.scratch());
  store::MakeRequest request;
  request.kind = Kind::kDirectory;
  request.mode = 0755;
  PFS_TRY_ASSIGN(merge.merged_, trees.make(trees.root(merge.tree_), kMerged, request));
  return merge;
}

Result<void> OutputMerge::add(const store::Subtree& output) { return add_directory(merged_, output, ""); }

Result<store::Subtree> OutputMerge::finish() { return trees_->snapshot(merged_); }

Result<void> OutputMerge::add_directory(const NodePtr& target, const store::Subtree& source, const std::string& path) {
  Result<void> added;
  PFS_TRY(reader_->scan(source.root, {}, [&](const Entry& entry) {
    added = add_entry(target, entry, path + "/" + entry.name);
    return added.has_value();
  }));
  return added;
}

Result<void> OutputMerge::add_entry(const NodePtr& target, const Entry& source, const std::string& path) {
  auto existing = trees_->lookup(target, source.name);
  if (!existing) {
    if (existing.error().code != Code::kNotFound) return std::move(existing).error();
    PFS_TRY(trees_->put_entry(target, source.name, source));
    return {};
  }
  const Kind kind = trees_->kind(*existing);
  if (kind != source.attributes.kind) {
    return Error{Code::kInvalid, fmt::format("output {}: of different kinds in two datums", printable(path))};
  }
  if (kind == Kind::kDirectory) return add_directory(*existing, source.subtree, path);
  overlapped_ = true;
  if (same_path_ == SamePath::kError) {
    return Error{Code::kInvalid, fmt::format("output {}: put out by two datums, and output_merge is error", printable(path))};
  }
  if (kind == Kind::kFile) {
    PFS_TRY_ASSIGN(const NodePtr file, own_file(target, source.name, *existing));
    return append(file, source);
  }
  PFS_TRY_ASSIGN(const auto entry, trees_->finished_entry(*existing));
  if (entry && entry->content == source.content) return {};
  return Error{Code::kInvalid, fmt::format("output {}: two datums made different links", printable(path))};
}

Result<NodePtr> OutputMerge::own_file(const NodePtr& directory, const std::string& name, const NodePtr& file) {
  PFS_TRY_ASSIGN(const store::Stat now, trees_->stat(file));
  if (now.links <= 1) return file;
  PFS_TRY_ASSIGN(const NodePtr copy, trees_->copy_entry(file, trees_->root(tree_), kPiece));
  return trees_->copy_entry(copy, directory, name);
}

Result<void> OutputMerge::append(const NodePtr& target, const Entry& source) {
  const NodePtr root = trees_->root(tree_);
  PFS_TRY(trees_->put_entry(root, kPiece, source));
  PFS_TRY_ASSIGN(const NodePtr piece, trees_->lookup(root, kPiece));
  PFS_TRY_ASSIGN(const store::Stat before, trees_->stat(target));
  for (std::uint64_t done = 0; done < source.content.size;) {
    PFS_TRY_ASSIGN(const std::uint64_t copied,
                   trees_->copy_range(piece, done, target, before.size + done, source.content.size - done));
    if (copied == 0) return Error{Code::kCorrupt, "a file ends before its size"};
    done += copied;
  }
  return {};
}

}  // namespace pfs::trigger
