#include "fs/views.h"

#include <utility>

#include "base/ids.h"
#include "fs/inode_table.h"

namespace pfs::fs {

namespace {

// More are asked for each time: forgetting them would cost more than remembering them saves.
constexpr std::size_t kMaxAsked = 64;

}  // namespace

std::vector<std::string> ViewRoot::show(store::TreePtr tree, store::NodePtr root) {
  Shown next{std::move(root), std::make_shared<TreeContext>()};
  next.context->ownership = owner_;
  next.context->number = inode_number(kRootNumber, name_, 0);
  next.context->traffic.set(std::make_shared<ViewTraffic>());
  // after the lock: the last reference to a tree drops its rows in the store
  store::TreePtr old_tree = std::move(tree);
  std::set<std::string, std::less<>> asked;
  {
    Lock lock(mutex_);
    if (shown_.context) shown_.context->replaced = true;
    std::swap(tree_, old_tree);
    std::swap(shown_, next);
    std::swap(asked_, asked);
  }
  return {asked.begin(), asked.end()};
}

void ViewRoot::ask(std::string_view name) {
  Lock lock(mutex_);
  if (asked_.size() < kMaxAsked && !asked_.contains(name)) asked_.emplace(name);
}

bool ViewRoot::is_asked(std::string_view name) const {
  Lock lock(mutex_);
  return asked_.contains(name);
}

ViewRoot::Shown ViewRoot::shown() const {
  Lock lock(mutex_);
  return shown_;
}

std::shared_ptr<ViewTraffic> ViewRoot::traffic() const {
  const auto context = shown().context;
  return context ? context->traffic.get() : nullptr;
}

std::shared_ptr<ViewRoot> Views::add(Ownership owner) {
  const auto random = random_bytes_16();
  auto view = std::make_shared<ViewRoot>(
      to_hex({reinterpret_cast<const char*>(random.data()), random.size()}), owner);
  Lock lock(mutex_);
  views_[view->name()] = view;
  return view;
}

void Views::remove(const ViewRoot& view) {
  std::shared_ptr<ViewRoot> removed;
  {
    Lock lock(mutex_);
    auto it = views_.find(view.name());
    if (it == views_.end()) return;
    removed = std::move(it->second);
    views_.erase(it);
  }
  removed->show(nullptr, nullptr);
}

std::shared_ptr<ViewRoot> Views::find(std::string_view name) const {
  Lock lock(mutex_);
  auto it = views_.find(name);
  return it == views_.end() ? nullptr : it->second;
}

}  // namespace pfs::fs
