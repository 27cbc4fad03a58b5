// What staging costs a writer, each row against the same on a plain file of the same disk in the same run.
// Usage: bench_staging [DIRECTORY]   (default: $TMPDIR or /tmp; needs about 4 GiB there)
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <random>
#include <string>
#include <vector>

#include <boost/filesystem.hpp>
#include <fmt/format.h>

#include "base/clock.h"
#include "base/file.h"
#include "store/store.h"
#include "must.h"
#include "table.h"

namespace pfs::bench {
namespace {

using namespace pfs::store;

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

struct World {
  explicit World(const std::string& path) {
    StoreOptions options;
    options.path = path;
    options.clock = &clock;
    options.automatic_commits = false;
    store = must(Store::open(options));
    must(store->catalog().create_branch(ref, std::nullopt, true));
    tree = must(store->trees().branch(ref));
  }
  NodePtr make(const std::string& name) { return must(store->trees().make(store->trees().root(tree), name, {})); }

  SystemClock clock;
  BranchRef ref = *BranchRef::parse("data@master");
  std::unique_ptr<Store> store;
  TreePtr tree;
};

std::string noise(std::size_t size) {
  std::mt19937_64 random(1);
  std::string bytes(size, '\0');
  for (auto& c : bytes) c = static_cast<char>(random());
  return bytes;
}

// The middle of three runs each, in turn: a disk's mood lasts longer than one run.
void sequential(const std::string& directory) {
  constexpr std::uint64_t kSize = std::uint64_t{1} << 30U;
  const std::string bytes = noise(128 << 10);
  std::vector<double> plain, ours;
  for (int run = 0; run < 3; ++run) {
    const std::string path = directory + "/plain";
    plain.push_back(seconds([&] {
      const auto file = must(File::open(path, O_RDWR | O_CREAT | O_TRUNC));
      for (std::uint64_t at = 0; at < kSize; at += bytes.size()) must(file.write_at(at, as_bytes(bytes)));
    }));
    ::unlink(path.c_str());
    World world(fmt::format("{}/sequential{}", directory, run));
    const auto file = world.make("big");
    ours.push_back(seconds([&] {
      world.store->trees().opened_for_write(file);
      for (std::uint64_t at = 0; at < kSize; at += bytes.size()) must(world.store->trees().write(file, at, as_bytes(bytes)));
      world.store->trees().released_for_write(file);
    }));
    world.store.reset();
    boost::filesystem::remove_all(fmt::format("{}/sequential{}", directory, run));
  }
  print_row("write 1 GiB by 128 KiB", fmt::format("{:.0f} MB/s", 1073.7 / median(ours)),
            fmt::format("pwrite to a file: {:.0f} MB/s", 1073.7 / median(plain)), median(ours) / median(plain));
}

void overwrites(const std::string& directory) {
  constexpr std::uint64_t kSize = std::uint64_t{64} << 20U;
  constexpr int kWrites = 200000;
  const std::string bytes = noise(4096);
  const auto offsets = [random = std::mt19937_64(2)]() mutable { return random() % (kSize / 4096) * 4096; };
  const auto plain_file = must(File::open(directory + "/random", O_RDWR | O_CREAT | O_TRUNC));
  auto next = offsets;
  const double plain = seconds([&] {
    for (int i = 0; i < kWrites; ++i) must(plain_file.write_at(next(), as_bytes(bytes)));
  });
  World world(directory + "/overwrites");
  const auto file = world.make("random");
  auto next_ours = offsets;
  const double ours = seconds([&] {
    for (int i = 0; i < kWrites; ++i) must(world.store->trees().write(file, next_ours(), as_bytes(bytes)));
  });
  print_row("200,000 random writes of 4 KiB in 64 MiB", fmt::format("{:.0f}/s", kWrites / ours),
            fmt::format("pwrite to a file: {:.0f}/s", kWrites / plain), ours / plain);
}

// Plain and ours in turn, so that both see the same disk.
void fsyncs(const std::string& directory, const char* what, std::uint64_t first_size) {
  constexpr int kSyncs = 400;
  const std::string bytes = noise(4096);
  const auto plain_file = must(File::open(directory + "/synced", O_RDWR | O_CREAT | O_TRUNC));
  World world(fmt::format("{}/fsync{}", directory, first_size));
  const auto file = world.make("synced");
  auto& trees = world.store->trees();
  const std::string front(first_size, 'x');
  must(plain_file.write_at(0, as_bytes(front)));
  if (first_size > 0) must(trees.write(file, 0, as_bytes(front)));
  must(plain_file.sync());
  must(trees.sync(file));
  std::vector<double> plain, ours;
  for (std::uint64_t i = 0; i < kSyncs; ++i) {
    const std::uint64_t at = first_size + i * 4096;
    plain.push_back(seconds([&] {
      must(plain_file.write_at(at, as_bytes(bytes)));
      must(plain_file.sync());
    }));
    ours.push_back(seconds([&] {
      must(trees.write(file, at, as_bytes(bytes)));
      must(trees.sync(file));
    }));
  }
  print_row(what, fmt::format("{:.0f} us", median(ours) * 1e6), fmt::format("write + fsync of a file: {:.0f} us", median(plain) * 1e6),
            median(ours) / median(plain), 1.6);
}

void new_files(const std::string& directory) {
  constexpr int kFiles = 300;
  const std::string bytes = noise(4096);
  World world(directory + "/new");
  auto& trees = world.store->trees();
  boost::filesystem::create_directories(directory + "/plain-new");
  std::vector<double> plain, ours;
  for (int i = 0; i < kFiles; ++i) {
    plain.push_back(seconds([&] {
      const auto file = must(File::open(fmt::format("{}/plain-new/{}", directory, i), O_RDWR | O_CREAT));
      must(file.write_at(0, as_bytes(bytes)));
      must(file.sync());
    }));
    ours.push_back(seconds([&] {
      const auto file = world.make(std::to_string(i));
      must(trees.write(file, 0, as_bytes(bytes)));
      must(trees.sync(file));
    }));
  }
  print_row("make a file of 4 KiB and fsync it", fmt::format("{:.0f} us", median(ours) * 1e6),
            fmt::format("the same on the disk: {:.0f} us", median(plain) * 1e6), median(ours) / median(plain), 1.6);
}

int run(const std::string& base) {
  const std::string directory = base + "/pfs-bench-" + std::to_string(::getpid());
  boost::filesystem::create_directories(directory);
  print_head();
  fsyncs(directory, "append 4 KiB and fsync", 0);
  fsyncs(directory, "append 4 KiB to 4 MiB and fsync", std::uint64_t{4} << 20U);
  new_files(directory);
  overwrites(directory);
  sequential(directory);
  boost::filesystem::remove_all(directory);
  return 0;
}

}  // namespace
}  // namespace pfs::bench

int main(int argc, char** argv) {
  const char* base = std::getenv("TMPDIR");
  return pfs::bench::run(argc > 1 ? argv[1] : base != nullptr ? base : "/tmp");
}
