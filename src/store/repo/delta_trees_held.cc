#include "store/repo/delta_trees.h"

// What a collection of the store's objects must not take though no row leads to it. docs/architecture.md "Collection".

namespace pfs::store {

namespace {

void visit_content(const Content& content, const std::function<void(const ObjectId&)>& visit) {
  if (content.form == Content::Form::kChunk) visit({ObjectKind::kChunk, content.digest});
  if (content.form == Content::Form::kList) visit({ObjectKind::kList, content.digest});
}

void visit_xattrs(const Xattrs& kept, const std::function<void(const ObjectId&)>& visit) {
  const auto reference = kept.find("");
  if (reference == kept.end() || reference->second.size() != Digest::kSize) return;
  visit({ObjectKind::kXattrs, Digest::from_bytes(reference->second)});
}

void visit_file(const FileState& file, const std::function<void(const ObjectId&)>& visit) {
  visit_content(file.base, visit);
  visit_xattrs(file.xattrs, visit);
  for (const auto& layer : file.layers) {
    for (const auto& [offset, extent] : layer.extents) {
      if (const auto* slice = std::get_if<Slice>(&extent.source)) visit_content(slice->content, visit);
    }
  }
}

}  // namespace

void DeltaTrees::note_detached(LiveNode& node) {
  detached_.push_back(node.weak_from_this());
  if (detached_.size() < look_at_detached_) return;
  std::erase_if(detached_, [](const auto& each) { return each.expired(); });
  look_at_detached_ = std::max<std::size_t>(1024, 2 * detached_.size());
}

void DeltaTrees::held_objects(const std::function<void(const ObjectId&)>& visit) {
  std::vector<NodePtr> held;  // let go of without the lock, as a node's end may take it
  {
    Lock lock(mutex_);
    for (const auto& [id, weak] : commits_) {
      if (auto root = weak.lock()) held.push_back(std::move(root));
    }
    for (const auto& weak : detached_) {
      if (auto node = weak.lock()) held.push_back(std::move(node));
    }
    for (const auto& node : held) {
      if (node->info) visit({ObjectKind::kNode, node->info->links});
      visit_held(*node, visit);
    }
  }
}

void DeltaTrees::visit_held(const LiveNode& node, const std::function<void(const ObjectId&)>& visit) {
  if (node.is_directory()) {
    visit({ObjectKind::kNode, node.base.root});
    visit_xattrs(node.xattrs, visit);
    for (const auto& [name, weak] : node.children) {
      if (const auto child = weak.lock()) visit_held(*child, visit);
    }
    return;
  }
  Lock lock(node.mutex);
  visit_file(node.state, visit);
}

void DeltaTrees::refer_to(const FileState& file) const {
  visit_file(file, [this](const ObjectId& id) { parts_.objects->uses().refer(id); });
}

void DeltaTrees::refer_to(const Content& content) const {
  visit_content(content, [this](const ObjectId& id) { parts_.objects->uses().refer(id); });
}

void DeltaTrees::refer_to(const Entry& entry) const {
  const auto refer = [this](const ObjectId& id) { parts_.objects->uses().refer(id); };
  if (entry.is_directory()) refer({ObjectKind::kNode, entry.subtree.root});
  visit_content(entry.content, refer);
  visit_xattrs(entry.xattrs, refer);
}

}  // namespace pfs::store
