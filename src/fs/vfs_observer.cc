#include <algorithm>
#include <future>
#include <memory>

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "fs/vfs.h"

namespace pfs::fs {

namespace {

// Each costs less than a microsecond before ln returns; for the rest open(2) is exact all the same,
// and stat(2) as soon as the names are dropped.
constexpr std::size_t kMaxOrphans = 4000;
constexpr std::chrono::milliseconds kDropTimeout{1000};
// What was written in a view is of no use to the next; less than this is left for the kernel to forget when it likes.
constexpr std::uint64_t kMuchWritten = 1u << 20U;

}  // namespace

// Of the request that the calling thread carries out.
thread_local bool Vfs::serves_uncached = false;

/// Of the work that the thread does while this is there.
class Vfs::ServesUncached {
 public:
  explicit ServesUncached(bool uncached) { serves_uncached = uncached; }
  ~ServesUncached() { serves_uncached = false; }
  ServesUncached(const ServesUncached&) = delete;
  ServesUncached& operator=(const ServesUncached&) = delete;
};

void Vfs::park(const Caller& caller, std::function<void()> work) {
  parking_.post([uncached = caller.uncached, work = std::move(work)] {
    const ServesUncached serves(uncached);
    work();
  });
}

void Vfs::drop_names(NodeId directory, const std::vector<std::string>& names,
                     KernelCaches::Forget what) {
  const auto dropped = std::make_shared<std::promise<void>>();  // shared: it may come after the wait
  auto done = dropped->get_future();
  ++drops_under_way_;
  caches_.drop_names(directory, names, what, [this, dropped] {
    {
      Lock lock(drops_mutex_);
      --drops_under_way_;
    }
    drops_ended_.notify_all();
    dropped->set_value();
  });
  // in the background where the request that is carried out here, an ln or an rmdir, holds the lock of this directory
  // until we have answered it: one that came by another mount holds none here
  if (!parking_.is_running_us() || serves_uncached) done.wait_for(kDropTimeout);
}

void Vfs::name_changed(const store::NodePtr& directory, const std::string& name,
                       const std::vector<store::NodePtr>& losers) {
  note_changed(directory, name);
  // how many names they have; the kernel counts those only that go by way of it
  for (const NodeId id : inodes_.known(losers)) {
    caches_.drop_attributes(id);
    // what was put over it may have set-id bits
    if (const auto loser = inodes_.find(id)) (*loser)->unprivileged = false;
  }
  for (const auto& loser : losers) {
    if (trees_.kind(loser) != store::Kind::kFile || trees_.state(loser) != store::NodeState::kLinked) continue;
    // what was put over it are its own bytes now
    for (const NodeId id : inodes_.known({loser})) drop_pages(id);
  }
  for (const NodeId id : inodes_.known({directory})) {
    caches_.drop_attributes(id);
    caches_.drop_listing(id);
    // a cached absence is corrected under the directory's lock only: wait, so that who put the file
    // finds it
    caches_.drop_name_now(id, name, KernelCaches::Forget::kAll, kDropTimeout);
  }
}

void Vfs::attributes_changed(const store::NodePtr& node) {
  for (const NodeId id : inodes_.known({node})) caches_.drop_attributes(id);
}

std::shared_ptr<void> Vfs::trees_replacing(const std::set<BranchRef>& branches) {
  if (node_names_ == nullptr) return nullptr;
  std::vector<NodeId> roots;
  for (const auto& branch : branches) {
    const auto root = node_names_->at(kRootNode, branch.str());
    // one that nobody has looked at yet may be looked at meanwhile
    roots.push_back(root.value_or(NodeId(inode_number(kRootNumber, branch.str(), 0).value())));
  }
  node_names_->replacing(roots);
  return {nullptr, [this, roots](const void*) { node_names_->replaced(roots); }};
}

void Vfs::tree_replaced(const store::NodePtr& root, const std::vector<std::string>& names,
                        const std::vector<store::NodePtr>& orphans) {
  const std::vector<store::NodePtr> recent(
      orphans.begin(),
      orphans.begin() + static_cast<std::ptrdiff_t>(std::min(orphans.size(), kMaxOrphans)));
  for (const NodeId id : inodes_.known(recent)) caches_.drop_attributes(id);
  for (const NodeId id : inodes_.known({root})) {
    caches_.drop_attributes(id);
    caches_.drop_listing(id);
    drop_names(id, names);
  }
}

void Vfs::show_in_view(ViewRoot& view, store::TreePtr tree) {
  store::NodePtr top = tree ? trees_.root(tree) : nullptr;
  const auto traffic = view.traffic();
  const auto names = view.show(std::move(tree), std::move(top));
  if (!view.node()) return;
  caches_.drop_attributes(view.node());
  if (names.empty()) return;
  // waits, so that whoever works in the view from now on finds the new tree. The pages of inputs stay: the next datum,
  // here or in another view, may read the same. A walk that has just asked, and meets this on its way back, remembers
  // the old name: what is below is orphaned, which sends it to ask again.
  const bool much = traffic && traffic->written_bytes >= kMuchWritten;
  drop_names(view.node(), names, much ? KernelCaches::Forget::kAll : KernelCaches::Forget::kName);
}

void Vfs::remove_view(ViewRoot& view) {
  show_in_view(view, nullptr);
  views_.remove(view);
}

void Vfs::branch_changed(const BranchRef& branch) {
  auto record = catalog_.branch(branch);
  // the name of a branch that is there is never dropped: what is mounted or bound below it would go
  if (record || record.error().code != Code::kNotFound) return;
  note_removed(kRootNode, branch.str());
  drop_names(kRootNode, {branch.str()});
}

void Vfs::commits_deleted(const RepoName& repo, const std::vector<CommitId>& commits) {
  std::vector<std::string> names;
  for (const auto& commit : commits) names.push_back(fmt::format("{}@{}", repo.str(), commit.hex()));
  drop_names(kRootNode, names);
}

}  // namespace pfs::fs
