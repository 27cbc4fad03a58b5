#include "daemon/view_host.h"

#include <utility>

namespace pfs::daemon {

namespace {

class MountView final : public trigger::View {
 public:
  MountView(fs::Views& views, store::LiveTrees& trees, std::shared_ptr<fs::ViewRoot> root,
            std::string path)
      : views_(views), trees_(trees), root_(std::move(root)), path_(std::move(path)) {}
  ~MountView() override { views_.remove(*root_); }

  const std::string& path() const override { return path_; }

  void show(store::TreePtr tree) override {
    store::NodePtr top = tree ? trees_.root(tree) : nullptr;
    root_->show(std::move(tree), std::move(top));
  }

  Traffic traffic() const override {
    const auto counted = root_->traffic();
    if (!counted) return {};
    return {counted->read_bytes, counted->written_bytes};
  }

 private:
  fs::Views& views_;
  store::LiveTrees& trees_;
  const std::shared_ptr<fs::ViewRoot> root_;  // shared: the mount may still serve it
  const std::string path_;
};

}  // namespace

Result<std::unique_ptr<trigger::View>> MountViewHost::add_view(std::uint32_t uid,
                                                               std::uint32_t gid) {
  auto root = views_.add(fs::Ownership{uid, gid});
  std::string path = prefix_ + root->name();
  return std::make_unique<MountView>(views_, store_.trees(), std::move(root), std::move(path));
}

}  // namespace pfs::daemon
