// What a long history of small commits takes: bytes a commit in the database, in packs and in the index, the store on disk, and
// the time of a commit alone and beside the packer.
// Usage: history_bench [DIRECTORY [COMMITS [FILES]]]
//   default: $TMPDIR or /tmp; 100,000 commits, 2,000 where PFS_BENCH_SHORT is set; trees of 1,000 and of 100,000 files
//
// Files of 2 KiB, 100 in a directory, ten directories in one. A commit changes twenty bytes of
// one file.
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include <boost/filesystem.hpp>
#include <fmt/format.h>

#include "base/clock.h"
#include "store/store.h"
#include "must.h"
#include "table.h"

namespace pfs::bench {
namespace {

using namespace pfs::store;

constexpr int kFilesInDirectory = 100;
constexpr int kFanOut = 10;
constexpr std::size_t kFileSize = 2048;

// Text of a vocabulary of 4,096 words, which zstd halves.
std::string some_text(std::mt19937_64& random, std::size_t size) {
  std::string text;
  while (text.size() < size) text += fmt::format("{:x}{} ", (random() % 4096) * 2654435761U, random() % 10);
  text.resize(size);
  return text;
}

struct Times {
  std::vector<double> milliseconds;

  void add(const Times& more) { milliseconds.insert(milliseconds.end(), more.milliseconds.begin(), more.milliseconds.end()); }
  double at(double share) {
    std::sort(milliseconds.begin(), milliseconds.end());
    return milliseconds[static_cast<std::size_t>(share * static_cast<double>(milliseconds.size() - 1))];
  }
};

class History {
 public:
  History(const std::string& path, int files) : path_(path), files_(files) { open(PackingOptions{.automatic = false}); }

  void open(const PackingOptions& packing) {
    tree_.reset();
    store_.reset();
    StoreOptions options;
    options.path = path_;
    options.clock = &clock_;
    options.automatic_commits = false;
    options.packing = packing;
    store_ = must(Store::open(options));
    if (!store_->catalog().branch(ref_)) must(store_->catalog().create_branch(ref_, std::nullopt, true));
    tree_ = must(store_->trees().branch(ref_));
  }

  void fill() {
    NodePtr above = root();
    NodePtr directory;
    for (int i = 0; i < files_; ++i) {
      if (i % (kFilesInDirectory * kFanOut) == 0) above = make_directory(root(), fmt::format("part{}", i / (kFilesInDirectory * kFanOut)));
      if (i % kFilesInDirectory == 0) directory = make_directory(above, fmt::format("d{}", i / kFilesInDirectory));
      const auto file = must(store_->trees().make(directory, fmt::format("file_{:06}.txt", i), {}));
      must(store_->trees().write(file, 0, as_bytes(some_text(random_, kFileSize))));
    }
    finish();
  }

  /// Commits, each timed from its first change on.
  Times commits(int count) {
    Times times;
    for (int commit = 0; commit < count; ++commit) {
      const int number = static_cast<int>(random_() % static_cast<std::uint64_t>(files_));
      const auto path = fmt::format("/part{}/d{}/file_{:06}.txt", number / (kFilesInDirectory * kFanOut), number / kFilesInDirectory, number);
      const auto bytes = some_text(random_, 20);
      const auto offset = random_() % (kFileSize - bytes.size());
      times.milliseconds.push_back(1e3 * seconds([&] {
        const auto file = must(store_->trees().walk(root(), must(RepoPath::parse(path))));
        must(store_->trees().write(file, offset, as_bytes(bytes)));
        finish();
      }));
    }
    return times;
  }

  void pack() { must(store_->pack()); }
  RepackResult repack() { return must(store_->repack({})); }

  std::uint64_t family_bytes(Family family) const {
    std::uint64_t bytes = 0;
    must(store_->local().scan(family, "", "", [&](std::string_view key, std::string_view value) {
      bytes += key.size() + value.size();
      return true;
    }));
    return bytes;
  }

  /// Of a directory of the store: what its files take on disk, by blocks.
  std::uint64_t disk_bytes(const std::string& below = "") const {
    std::uint64_t bytes = 0;
    for (const auto& entry : boost::filesystem::recursive_directory_iterator(path_ + below)) {
      struct stat info {};
      if (::lstat(entry.path().c_str(), &info) == 0 && S_ISREG(info.st_mode)) bytes += static_cast<std::uint64_t>(info.st_blocks) * 512;
    }
    return bytes;
  }
  std::uint64_t pack_bytes() const { return disk_bytes("/packs") + disk_bytes("/open"); }

 private:
  NodePtr root() { return store_->trees().root(tree_); }
  NodePtr make_directory(const NodePtr& parent, const std::string& name) {
    MakeRequest request;
    request.kind = Kind::kDirectory;
    return must(store_->trees().make(parent, name, request));
  }
  void finish() { must(store_->catalog().finish(ref_, {})); }

  SystemClock clock_;
  const std::string path_;
  const int files_;
  const BranchRef ref_ = *BranchRef::parse("data@master");
  std::mt19937_64 random_{1};
  std::unique_ptr<Store> store_;
  TreePtr tree_;
};

void print_times(const char* what, Times times) {
  std::printf("| commits %s, ms | n %zu | p50 %.3f | p99 %.3f | max %.1f |\n", what, times.milliseconds.size(), times.at(0.5),
              times.at(0.99), times.at(1));
  std::fflush(stdout);
}

void measure(const std::string& directory, int files, int commits) {
  std::printf("\n%d files, %d commits\n", files, commits);
  History history(directory + "/" + std::to_string(files), files);
  history.fill();
  const auto index_before = history.family_bytes(Family::kIndex);
  const auto packs_before = history.pack_bytes();
  const auto disk_before = history.disk_bytes();
  // By turns, so that whatever else the machine does meets both. Beside the packer it never rests: a turn a MiB.
  const PackingOptions none{.automatic = false};
  PackingOptions restless;
  restless.hot_bytes = std::uint64_t{1} << 20U;
  restless.look_every = std::chrono::milliseconds(20);
  Times alone;
  Times beside;
  const int part = std::min(1000, commits / 20);
  std::uint64_t in_hot = 0;
  for (int round = 0; round < 5; ++round) {
    history.open(none);
    history.pack();
    alone.add(history.commits(part));
    in_hot = history.family_bytes(Family::kHot) / static_cast<std::uint64_t>(part);
    history.open(restless);
    beside.add(history.commits(part));
  }
  print_times("alone", alone);
  print_times("beside a packer that never rests", beside);
  history.open({});
  print_times("beside the packer as it is", history.commits(commits - 10 * part));
  const double turn = seconds([&] { history.pack(); });
  const auto a_commit = [&](std::uint64_t after, std::uint64_t before) {
    return (static_cast<double>(after) - static_cast<double>(before)) / commits;
  };
  std::printf("| B a commit: in `hot` | %llu |\n", static_cast<unsigned long long>(in_hot));
  std::printf("| in packs, after the packer | %.0f |\n", a_commit(history.pack_bytes(), packs_before));
  std::printf("| index rows | %.0f |\n", a_commit(history.family_bytes(Family::kIndex), index_before));
  std::printf("| the store on disk, grown by | %.0f |\n", a_commit(history.disk_bytes(), disk_before));
  std::printf("| the last turn, s | %.2f |\n", turn);
  history.open(none);  // its log is folded into tables
  std::printf("| the store on disk after a restart: all / database, MiB | %.1f / %.1f |\n",
              static_cast<double>(history.disk_bytes()) / (1 << 20), static_cast<double>(history.disk_bytes("/db")) / (1 << 20));
  RepackResult result;
  const double repack = seconds([&] { result = history.repack(); });
  std::printf("| repack: packs %llu -> %llu, MiB %.1f -> %.1f, s | %.1f |\n", static_cast<unsigned long long>(result.packs_rewritten),
              static_cast<unsigned long long>(result.packs_made), static_cast<double>(result.bytes_before) / (1 << 20),
              static_cast<double>(result.bytes_after) / (1 << 20), repack);
  std::printf("| in packs, after repack | %.0f |\n", a_commit(history.pack_bytes(), packs_before));
  std::fflush(stdout);
}

int run(const std::string& base, int commits, int files) {
  const std::string directory = base + "/pfs-history-" + std::to_string(::getpid());
  boost::filesystem::create_directories(directory);
  for (const int each : files > 0 ? std::vector<int>{files} : std::vector<int>{1000, 100'000}) measure(directory, each, commits);
  boost::filesystem::remove_all(directory);
  return 0;
}

}  // namespace
}  // namespace pfs::bench

int main(int argc, char** argv) {
  const char* base = std::getenv("TMPDIR");
  const int commits = argc > 2 ? std::atoi(argv[2]) : std::getenv("PFS_BENCH_SHORT") != nullptr ? 2000 : 100'000;
  return pfs::bench::run(argc > 1 ? argv[1] : base != nullptr ? base : "/tmp", commits, argc > 3 ? std::atoi(argv[3]) : 0);
}
