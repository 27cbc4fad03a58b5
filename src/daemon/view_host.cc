#include "daemon/view_host.h"

#include <unistd.h>

#include <utility>

#include <fmt/format.h>

namespace pfs::daemon {

namespace {

class MountView final : public trigger::View {
 public:
  MountView(fs::Vfs& vfs, std::shared_ptr<fs::ViewRoot> root, std::string path)
      : vfs_(vfs), root_(std::move(root)), path_(std::move(path)) {}
  ~MountView() override { vfs_.remove_view(*root_); }

  const std::string& path() const override { return path_; }

  void show(store::TreePtr tree) override { vfs_.show_in_view(*root_, std::move(tree)); }

  Traffic traffic() const override {
    const auto counted = root_->traffic();
    if (!counted) return {};
    return {counted->read_bytes, counted->written_bytes, counted->no_room};
  }

 private:
  fs::Vfs& vfs_;
  const std::shared_ptr<fs::ViewRoot> root_;  // shared: the mount may still serve it
  const std::string path_;
};

}  // namespace

Result<std::unique_ptr<trigger::View>> MountViewHost::add_view(std::uint32_t uid,
                                                               std::uint32_t gid) {
  // the kernel's rule for a mount of one user: neither id may be another's. Source: fuse_allow_current_process() in fs/fuse/dir.c
  if (!others_may_enter_ && (uid != geteuid() || gid != getegid())) {
    return Error{Code::kUnavailable,
                 fmt::format("is {}:{} on this machine, and the mount is for {}:{} alone: have root say `echo user_allow_other >> "
                             "/etc/fuse.conf` and start pfsd anew{}",
                             uid, gid, geteuid(), getegid(),
                             // a container's root that is the machine's own is no better
                             uid == 0 ? "" : ", or say \"user\": \"root\" in transform")};
  }
  auto root = vfs_.add_view(fs::Ownership{uid, gid});
  std::string path = prefix_ + root->name();
  return std::make_unique<MountView>(vfs_, std::move(root), std::move(path));
}

}  // namespace pfs::daemon
