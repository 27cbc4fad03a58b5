#include "fs/shared_inputs.h"

#include <algorithm>
#include <utility>

#include <spdlog/spdlog.h>

#include "base/codec.h"

namespace pfs::fs {

namespace {

// Of smaller files the pages cost less than a node of their own.
constexpr std::uint64_t kLeastShared = 64 * 1024;
// Who is refused once looks the name up at once; whoever else does so meanwhile gets its own, too.
constexpr std::chrono::seconds kWantsOwn{2};

std::string content_of(const store::Entry& entry, const Ownership& owner) {
  return Encoder()
      .u32(owner.uid)
      .u32(owner.gid)
      .u32(entry.attributes.mode)
      .u64(static_cast<std::uint64_t>(entry.attributes.mtime.nanoseconds))
      .raw(entry.data_digest().bytes())
      .str();
}

}  // namespace

/// A node in a tree of our own, for as long as the kernel knows it.
struct SharedInputs::Shared {
  explicit Shared(SharedInputs& made_by) : owner(made_by) {}
  ~Shared() { owner.remove(*this); }
  Shared(const Shared&) = delete;
  Shared& operator=(const Shared&) = delete;

  SharedInputs& owner;
  std::string key;
  std::string name;
  store::TreePtr tree;
  store::NodePtr node;
  TreeContext context;
};

// Whether the view has wanted its own file, or does so now.
bool SharedInputs::is_own(const store::NodePtr& node, const std::string& content) {
  // without a reference of ours, which might be the last: a node does not go under the lock
  const auto is_it = [&](const auto& own) { return !own.owner_before(node) && !node.owner_before(own); };
  if (std::any_of(own_.begin(), own_.end(), is_it)) return true;
  const auto wanted = wanted_.find(content);
  if (wanted == wanted_.end() || wanted->second < clock_.steady()) return false;
  own_.push_back(node);
  return true;
}

Result<Found> SharedInputs::shown(Found own) {
  if (trees_.kind(own.node) != store::Kind::kFile || own.link_id != 0) return own;
  PFS_TRY_ASSIGN(const auto entry, trees_.finished_entry(own.node));
  if (!entry || entry->size() < kLeastShared || !entry->xattrs.empty()) return own;
  const std::string content = content_of(*entry, *own.context->ownership);
  const std::string key = content + trees_.path(own.node);
  std::shared_ptr<Shared> shared;
  {
    Lock lock(mutex_);
    if (is_own(own.node, content)) return own;
    if (const auto known = shared_.find(key); known != shared_.end()) shared = known->second.lock();
  }
  if (!shared) {
    PFS_TRY_ASSIGN(shared, share(key, content, *entry, *own.context));
  }
  shared->context.traffic.set(own.context->traffic.get());
  own.node = shared->node;
  own.context = std::shared_ptr<TreeContext>(shared, &shared->context);
  return own;
}

Result<store::TreePtr> SharedInputs::tree() {
  {
    Lock lock(mutex_);
    if (tree_) return tree_;
  }
  PFS_TRY_ASSIGN(auto made, trees_.scratch());
  Lock lock(mutex_);
  if (!tree_) tree_.swap(made);  // another's goes after the lock
  return tree_;
}

Result<std::shared_ptr<SharedInputs::Shared>> SharedInputs::share(const std::string& key,
                                                                  const std::string& content,
                                                                  const store::Entry& entry,
                                                                  const TreeContext& view) {
  auto shared = std::make_shared<Shared>(*this);
  PFS_TRY_ASSIGN(shared->tree, tree());
  shared->key = key;
  shared->context.ownership = view.ownership;
  shared->context.number = view.number;
  shared->context.shared_input = true;
  {
    Lock lock(mutex_);
    shared->name = std::to_string(next_name_++);
  }
  const auto root = trees_.root(shared->tree);
  PFS_TRY(trees_.put_entry(root, shared->name, entry));
  PFS_TRY_ASSIGN(shared->node, trees_.lookup(root, shared->name));
  Lock lock(mutex_);
  auto& known = shared_[key];
  if (auto first = known.lock()) return first;  // ours goes after the lock
  known = shared;
  contents_[shared->node.get()] = content;
  return shared;
}

void SharedInputs::remove(const Shared& shared) {
  if (!shared.node) return;
  {
    Lock lock(mutex_);
    contents_.erase(shared.node.get());
    const auto known = shared_.find(shared.key);
    if (known != shared_.end() && known->second.expired()) shared_.erase(known);
  }
  if (auto removed = trees_.remove(trees_.root(shared.tree), shared.name, false); !removed) {
    spdlog::debug("shared input: {}; it goes with its tree", removed.error().message);
  }
}

void SharedInputs::want_own(const store::NodePtr& shared) {
  Lock lock(mutex_);
  const auto content = contents_.find(shared.get());
  if (content == contents_.end()) return;
  const auto now = clock_.steady();
  std::erase_if(wanted_, [&](const auto& each) { return each.second < now; });
  wanted_[content->second] = now + kWantsOwn;
  std::erase_if(own_, [](const auto& own) { return own.expired(); });
}

}  // namespace pfs::fs
