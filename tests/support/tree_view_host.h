#pragma once

#include <map>
#include <memory>
#include <string>

#include "base/sync.h"
#include "trigger/views.h"

namespace pfs::test {

/// Views without a mount: they remember what they show, and a fake container asks for it by the view's path.
///
/// Thread-safe.
class TreeViewHost final : public trigger::ViewHost {
 public:
  Result<std::unique_ptr<trigger::View>> add_view(std::uint32_t, std::uint32_t) override PFS_EXCLUDES(mutex_) {
    Lock lock(mutex_);
    if (!mounted_) return Error{Code::kUnavailable, "nothing is mounted"};
    return std::unique_ptr<trigger::View>(std::make_unique<TreeView>(*this, "/view-" + std::to_string(++last_)));
  }

  void set_mounted(bool mounted) PFS_EXCLUDES(mutex_) {
    Lock lock(mutex_);
    mounted_ = mounted;
  }

  /// What the view shows; null when nothing, or when there is no such view.
  store::TreePtr shown(const std::string& path) const PFS_EXCLUDES(mutex_) {
    Lock lock(mutex_);
    const auto found = trees_.find(path);
    return found == trees_.end() ? nullptr : found->second;
  }

 private:
  class TreeView final : public trigger::View {
   public:
    TreeView(TreeViewHost& host, std::string path) : host_(host), path_(std::move(path)) {}
    ~TreeView() override { host_.set(path_, nullptr); }
    const std::string& path() const override { return path_; }
    void show(store::TreePtr tree) override { host_.set(path_, std::move(tree)); }
    Traffic traffic() const override { return {}; }

   private:
    TreeViewHost& host_;
    const std::string path_;
  };

  void set(const std::string& path, store::TreePtr tree) PFS_EXCLUDES(mutex_) {
    Lock lock(mutex_);
    trees_[path].swap(tree);  // the old tree goes after the lock
  }

  mutable Mutex mutex_{LockRank::kLeaf};
  bool mounted_ PFS_GUARDED_BY(mutex_) = true;
  int last_ PFS_GUARDED_BY(mutex_) = 0;
  std::map<std::string, store::TreePtr> trees_ PFS_GUARDED_BY(mutex_);
};

}  // namespace pfs::test
