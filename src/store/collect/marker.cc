#include "store/collect/marker.h"

#include <fmt/format.h>

#include "store/pack/object_digest.h"
#include "store/tree/list_node.h"
#include "store/tree/node.h"

namespace pfs::store {

Result<void> Marker::mark_tree(const Digest& root) {
  PFS_TRY(wait({ObjectKind::kNode, root}));
  return walk();
}

Result<void> Marker::mark_entry(const Entry& entry) {
  if (entry.is_directory()) PFS_TRY(mark_tree(entry.subtree.root));
  PFS_TRY(mark_xattrs(entry.xattrs));
  return mark_content(entry.content);
}

Result<void> Marker::mark_content(const Content& content) {
  if (content.form == Content::Form::kChunk) return mark_object({ObjectKind::kChunk, content.digest});
  if (content.form != Content::Form::kList) return {};
  PFS_TRY(wait({ObjectKind::kList, content.digest}));
  return walk();
}

Result<void> Marker::mark_xattrs(const Xattrs& kept) {
  const auto reference = kept.find("");
  if (reference == kept.end()) return {};
  if (reference->second.size() != Digest::kSize) return Error{Code::kCorrupt, "extended attributes: damaged"};
  return mark_object({ObjectKind::kXattrs, Digest::from_bytes(reference->second)});
}

Result<void> Marker::mark_object(const ObjectId& id) { return live_.insert(id); }

Result<void> Marker::wait(const ObjectId& id) {
  if (id.kind == ObjectKind::kNode && id.digest == empty_subtree().root) return {};  // which is stored nowhere
  PFS_TRY_ASSIGN(const bool is_new, live_.add(id));
  if (is_new) waiting_.push_back(id);
  return {};
}

// The deepest first: of each node on the way down no more than its children wait.
Result<void> Marker::walk() {
  while (!waiting_.empty()) {
    const ObjectId id = waiting_.back();
    waiting_.pop_back();
    if (auto looked = look_into(id); !looked) {
      waiting_.clear();
      return looked;
    }
  }
  return {};
}

Result<void> Marker::look_into(const ObjectId& id) {
  ++looked_at_;
  PFS_TRY_ASSIGN(const auto object, objects_.read(id));
  PFS_TRY(prove_object(id, object.bytes));
  return id.kind == ObjectKind::kNode ? look_into_node(id, object.bytes) : look_into_list(object.bytes);
}

Result<void> Marker::look_into_node(const ObjectId& id, std::string_view bytes) {
  PFS_TRY_ASSIGN(const unsigned level, node_level(bytes));
  if (level > 0) {
    PFS_TRY_ASSIGN(const auto node, InnerNode::decode(bytes));
    for (const auto& child : node.children) PFS_TRY(wait({ObjectKind::kNode, child.digest}));
    return {};
  }
  auto leaf = LeafNode::decode(bytes);
  if (!leaf) return std::move(leaf).error().within("node " + id.digest.hex());
  for (const auto& entry : leaf->entries) {
    if (entry.is_directory()) PFS_TRY(wait({ObjectKind::kNode, entry.subtree.root}));
    if (entry.content.form == Content::Form::kList) PFS_TRY(wait({ObjectKind::kList, entry.content.digest}));
    if (entry.content.form == Content::Form::kChunk) PFS_TRY(mark_object({ObjectKind::kChunk, entry.content.digest}));
    PFS_TRY(mark_xattrs(entry.xattrs));
  }
  return {};
}

Result<void> Marker::look_into_list(std::string_view bytes) {
  PFS_TRY_ASSIGN(const auto list, ListNode::decode(bytes));
  for (const auto& item : list.items) {
    if (list.level > 0) PFS_TRY(wait({ObjectKind::kList, item.digest}));
    else PFS_TRY(mark_object({ObjectKind::kChunk, item.digest}));
  }
  return {};
}

}  // namespace pfs::store
