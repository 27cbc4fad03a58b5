#include "store/store.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>

#include <boost/filesystem.hpp>
#include <fmt/format.h>

#include "store/collect/collection.h"
#include "store/format_file.h"
#include "store/pack/dir_blob_store.h"
#include "store/pack/objects.h"
#include "store/pack/packer.h"
#include "store/pack/repack.h"
#include "store/refs/ref_snapshot.h"
#include "store/refs/rocks_db.h"
#include "store/refs/rocks_local_db.h"
#include "store/refs/rocks_ref_db.h"
#include "store/repo/admission.h"
#include "store/repo/auto_commit.h"
#include "store/repo/delta_trees.h"
#include "store/repo/ref_catalog.h"
#include "store/tree/tree_store.h"

namespace pfs::store {

namespace {

constexpr std::uint32_t kRootMode = 0777;

// A directory that holds something of its own must not be taken for a store that is to be made, and a store that has lost
// its FORMAT not for a new one. What a start that was killed before FORMAT was written has left is made use of.
Result<void> check_makes_a_store(const std::string& directory) {
  static constexpr std::array<std::string_view, 11> kOurs = {"FORMAT.new", "LOCK", "ballast", "db", "nodes", "packs", "open", "stage",
                                                             "quarantine", "tmp", "lost+found"};
  boost::system::error_code error;
  if (boost::filesystem::exists(directory + "/db/CURRENT", error)) {
    return Error{Code::kCorrupt, fmt::format("{}/FORMAT: is missing, though there is a database; put the file back from a backup", directory)};
  }
  for (boost::filesystem::directory_iterator entry(directory, error), end; !error && entry != end; entry.increment(error)) {
    const auto name = entry->path().filename().string();
    if (std::find(kOurs.begin(), kOurs.end(), name) != kOurs.end()) continue;
    return Error{Code::kExists, fmt::format("{}: is not a store, and not empty (it holds '{}'); choose a directory of its own for the store",
                                            directory, printable(name))};
  }
  if (error) return error_from_errno(error.value(), "read " + directory);
  return {};
}

// The flock of STORE/LOCK; the file says who has it.
Result<File> lock_store(const std::string& directory) {
  const std::string path = directory + "/LOCK";
  PFS_TRY_ASSIGN(auto file, File::open(path, O_RDWR | O_CREAT));
  if (::flock(file.fd(), LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) return error_from_errno(errno, "lock " + path);
    const auto holder = read_file(path).value_or("");
    return Error{Code::kBusy, fmt::format("store {}: in use by process {}; stop it first", directory,
                                          holder.empty() ? "?" : holder.substr(0, holder.find('\n')))};
  }
  return file;
}

Result<void> name_holder(const File& file) {
  std::array<char, 256> host{};
  ::gethostname(host.data(), host.size() - 1);
  PFS_TRY(file.truncate(0));
  return file.write_at(0, fmt::format("{} on {}\n", ::getpid(), host.data()), {});
}

class LocalStore final : public Store {
 public:
  explicit LocalStore(const StoreOptions& options) : options_(options) {}

  ~LocalStore() override {
    if (auto_commit_) auto_commit_->stop();
    if (packer_) packer_->stop();
  }

  Result<void> start() {
    boost::system::error_code error;
    const bool made = boost::filesystem::create_directories(options_.path, error);
    if (error.value() == EEXIST || error.value() == ENOTDIR) {
      return Error{Code::kNotDirectory, fmt::format("{}: not a directory; choose one for the store", options_.path)};
    }
    if (made) boost::filesystem::permissions(options_.path, boost::filesystem::owner_all, error);  // what a mount refuses is in here
    if (error) return error_from_errno(error.value(), "make " + options_.path);
    // a store that is not ours to open stays as it is, so this comes before anything is made
    PFS_TRY(read_format());
    for (const auto* name : {"/db", "/packs", "/open", "/stage/log", "/stage/spool", "/quarantine", "/tmp"}) {
      boost::filesystem::create_directories(options_.path + name, error);
      if (error) return error_from_errno(error.value(), "make " + options_.path + name);
    }
    PFS_TRY_ASSIGN(lock_, lock_store(options_.path));
    PFS_TRY_ASSIGN(admission_, Admission::open({options_.path, options_.ballast_bytes}));
    PFS_TRY(name_holder(lock_));
    Collection::clear(options_.path);
    PFS_TRY(make_format());
    PFS_TRY_ASSIGN(database_, RocksDatabase::open(options_.path + "/db", [this] { admission_->give_up_ballast(); }));
    local_ = std::make_unique<RocksLocalDb>(*database_);
    PFS_TRY_ASSIGN(refs_, RocksRefDb::open(*database_));
    PFS_TRY_ASSIGN(blobs_, DirBlobStore::open(options_.path + "/packs"));
    PFS_TRY_ASSIGN(packs_, PackSet::open(options_.path + "/open", *local_, *blobs_, *options_.clock));
    packs_->seal_at(options_.seal_pack_at);
    objects_ = std::make_unique<Objects>(*local_, *packs_);
    tree_store_ = std::make_unique<TreeStore>(*objects_);
    contents_ = std::make_unique<ContentReader>(*objects_);
    DeltaTrees::Parts parts;
    parts.local = local_.get();
    parts.objects = objects_.get();
    parts.trees = tree_store_.get();
    parts.contents = contents_.get();
    parts.clock = options_.clock;
    parts.staging = {options_.path + "/stage", options_.staging, admission_.get()};
    parts.branch_state = [this](const BranchRef& ref) { return branch_state(ref); };
    parts.branch_of_open = [this](const RepoName& repo, const CommitId& open) { return branch_of_open(repo, open); };
    PFS_TRY_ASSIGN(trees_, DeltaTrees::open(std::move(parts)));
    RefCatalog::Parts catalog;
    catalog.refs = refs_.get();
    catalog.trees = trees_.get();
    catalog.objects = objects_.get();
    catalog.clock = options_.clock;
    catalog.idle_after = options_.idle_after;
    catalog.policy = options_.policy;
    catalog.make_room = [this] { return admission_->give_up_ballast(); };
    catalog_ = std::make_unique<RefCatalog>(catalog);
    auto_commit_ = std::make_unique<AutoCommit>(*catalog_, *trees_, *options_.clock, AutoCommit::Options{options_.idle_after});
    trees_->set_on_close([this](const BranchRef& ref) { auto_commit_->closed(ref); });
    Packer::Parts packer;
    packer.local = local_.get();
    packer.packs = packs_.get();
    packer.hot = &objects_->hot();
    packer.refs = [this](Seq since) { return ref_objects(since); };
    packer.clock = options_.clock;
    packer_ = std::make_unique<Packer>(std::move(packer), options_.packing);
    if (options_.packing.automatic) packer_->start();
    return {};
  }

  Catalog& catalog() override { return *catalog_; }
  LiveTrees& trees() override { return *trees_; }
  const TreeReader& tree_reader() const override { return *tree_store_; }
  RefDb& refs() override { return *refs_; }
  LocalDb& local() override { return *local_; }
  const std::string& id() const override { return format_.id; }
  void set_publish_hook(PublishHook* hook) override { catalog_->set_hook(hook); }
  void set_observer(TreeObserver* observer) override { catalog_->set_observer(observer); }
  TreeObserver* observer() const override { return catalog_->observer(); }

  Result<void> resume() override { return catalog_->resume_frozen(); }

  void start_automatic_commits() override {
    if (options_.automatic_commits) auto_commit_->start();
  }

  Result<void> finish_all() override {
    auto_commit_->stop();
    return auto_commit_->commit_all();
  }

  Result<void> pack() override {
    PFS_TRY(packer_->turn());
    return {};
  }

  Result<RepackResult> repack(const RepackOptions& options) override {
    if (repacking_.exchange(true)) return Error{Code::kBusy, "repack: one is running"};
    auto result = Repack(*local_, *packs_, options, [this](PackNumber pack) { objects_->forget_pack(pack); }).run();
    repacking_ = false;
    return result;
  }

  Result<CollectResult> collect(const CollectOptions& options) override {
    if (repacking_.exchange(true)) return Error{Code::kBusy, "collection: one is running, or a repack"};
    const Collection::Parts parts{options_.path, database_.get(), local_.get(), packs_.get(), objects_.get(), trees_.get()};
    auto result = Collection(parts, options).run();
    if (result && !options.dry_run) {
      RepackOptions repack;
      repack.stop = options.stop;
      repack.partial_only = true;
      auto repacked = Repack(*local_, *packs_, repack, [this](PackNumber pack) { objects_->forget_pack(pack); }).run();
      if (repacked) result->repacked = *repacked;
      else result = std::move(repacked).error();
    }
    repacking_ = false;
    return result;
  }

  Result<Space> space() const override {
    struct statvfs info {};
    if (::statvfs(options_.path.c_str(), &info) != 0) return error_from_errno(errno, "statvfs " + options_.path);
    const auto staged = trees_->staging().usage();
    return Space{info.f_blocks * info.f_frsize, info.f_bavail * info.f_frsize, staged.bytes, staged.live};
  }

 private:
  // Without a FORMAT: finds out whether one may be made here.
  Result<void> read_format() {
    const std::string path = options_.path + "/FORMAT";
    if (::access(path.c_str(), F_OK) != 0) return check_makes_a_store(options_.path);
    PFS_TRY_ASSIGN(const auto text, read_file(path));
    PFS_TRY_ASSIGN(format_, FormatFile::parse(path, text));
    return {};
  }

  Result<void> make_format() {
    PFS_TRY(read_format());  // again, with the lock: another process may have made it meanwhile
    if (!format_.id.empty()) return {};
    format_.id = new_commit_id().hex();
    return write_file_atomically(options_.path + "/FORMAT", format_.text());
  }

  Result<Packer::RefObjects> ref_objects(Seq since) const {
    constexpr std::size_t kMaxEvents = 100'000;
    PFS_TRY_ASSIGN(const auto snapshot, take_ref_snapshot(*refs_, since, kMaxEvents, options_.clock->now()));
    Packer::RefObjects refs{{}, snapshot.until, snapshot.complete};
    for (auto& part : snapshot.encode()) {
      const auto id = RefSnapshot::id_of(part);
      refs.objects.push_back({id, std::move(part)});
    }
    return refs;
  }

  Result<DeltaTrees::Parts::BranchState> branch_state(const BranchRef& ref) const {
    PFS_TRY_ASSIGN(const auto branch, load_branch(read_from(*refs_), ref));
    DeltaTrees::Parts::BranchState state;
    state.head = branch.head;
    state.open = branch.open;
    state.root = empty_subtree();
    state.output = !branch.output_of.empty();
    state.commits_at_close = branch.policy.over(options_.policy).when == CommitWhen::kClose;
    state.attributes.kind = Kind::kDirectory;
    state.attributes.mode = kRootMode;
    // who has made it with mkdir is told by its rows; where a person runs the daemon it is that person
    state.attributes.uid = branch.owner ? branch.owner->uid : geteuid();
    state.attributes.gid = branch.owner ? branch.owner->gid : getegid();
    state.attributes.mtime = state.attributes.ctime = branch.created;
    if (state.head) {
      PFS_TRY_ASSIGN(const auto commit, load_commit(read_from(*refs_), *state.head));
      state.root = commit.root;
      state.links = commit.links;
      state.attributes.mtime = state.attributes.ctime = commit.finished;
    }
    if (branch.open_tree) {
      state.root = branch.open_tree->root;
      state.links = branch.open_tree->links;
      state.begins_elsewhere = true;
    }
    return state;
  }

  Result<std::optional<BranchRef>> branch_of_open(const RepoName& repo, const CommitId& open) const {
    std::optional<BranchRef> found;
    Result<void> outcome;
    PFS_TRY(refs_->scan(std::string(kBranchPrefix) + repo.str() + "/", "", [&](std::string_view, const RefValue& row) {
      auto branch = decode_branch(row.value);
      if (!branch) {
        outcome = std::move(branch).error();
        return false;
      }
      if (branch->open == open) found = branch->ref;
      return !found;
    }));
    PFS_TRY(std::move(outcome));
    return found;
  }

  const StoreOptions options_;
  // in the order of opening: what is below is closed last
  File lock_;
  FormatFile format_;
  std::unique_ptr<Admission> admission_;
  std::unique_ptr<RocksDatabase> database_;
  std::unique_ptr<RocksLocalDb> local_;
  std::unique_ptr<RocksRefDb> refs_;
  std::unique_ptr<DirBlobStore> blobs_;
  std::unique_ptr<PackSet> packs_;
  std::unique_ptr<Objects> objects_;
  std::unique_ptr<TreeStore> tree_store_;
  std::unique_ptr<ContentReader> contents_;
  std::unique_ptr<DeltaTrees> trees_;
  std::unique_ptr<RefCatalog> catalog_;
  std::unique_ptr<AutoCommit> auto_commit_;
  std::unique_ptr<Packer> packer_;
  std::atomic<bool> repacking_ = false;
};

}  // namespace

Result<std::unique_ptr<Store>> Store::open(const StoreOptions& options) {
  auto store = std::make_unique<LocalStore>(options);
  PFS_TRY(store->start());
  return std::unique_ptr<Store>(std::move(store));
}

}  // namespace pfs::store
