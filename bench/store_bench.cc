// What the store costs, each row against something measured in the same run on the same disk.
// Usage: store_bench [DIRECTORY]   (default: $TMPDIR or /tmp; needs about 4 GiB there)
#include <fcntl.h>
#include <unistd.h>
#include <zstd.h>

#include <algorithm>
#include <cstdlib>
#include <random>
#include <string>
#include <vector>

#include <boost/filesystem.hpp>
#include <fmt/format.h>

#include "base/clock.h"
#include "base/file.h"
#include "store/chunk/chunker.h"
#include "store/chunk/sha256.h"
#include "store/store.h"
#include "table.h"

namespace pfs::bench {
namespace {

using namespace pfs::store;

template <class T>
T must(Result<T> result) {
  if (!result) {
    std::fprintf(stderr, "store_bench: %s\n", result.error().message.c_str());
    std::exit(1);
  }
  if constexpr (!std::is_void_v<T>) return std::move(*result);
}

// Half of it compresses: random bytes and zeros in turn, 512 bytes each.
std::string half_compressible(std::size_t size, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  std::string bytes(size, '\0');
  for (std::size_t at = 0; at < size; at += 1024) {
    for (std::size_t i = at; i < std::min(size, at + 512); i += 8) {
      const auto value = random();
      std::copy_n(reinterpret_cast<const char*>(&value), std::min<std::size_t>(8, size - i), bytes.begin() + static_cast<std::ptrdiff_t>(i));
    }
  }
  return bytes;
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
  NodePtr root() { return store->trees().root(tree); }
  void put(const NodePtr& directory, const std::string& name, std::string_view bytes) {
    MakeRequest request;
    request.exclusive = false;
    const auto file = must(store->trees().make(directory, name, request));
    store->trees().opened_for_write(file);
    for (std::size_t at = 0; at < bytes.size(); at += std::size_t{1} << 20U) {
      must(store->trees().write(file, at, as_bytes(bytes.substr(at, std::size_t{1} << 20U))));
    }
    store->trees().released_for_write(file);
  }
  void finish() { must(store->catalog().finish(ref, {})); }

  SystemClock clock;
  BranchRef ref = *BranchRef::parse("data@master");
  std::unique_ptr<Store> store;
  TreePtr tree;
};

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

// Cutting, hashing and compressing the bytes on one core: what ingest cannot go below without more cores.
double core_limit(std::string_view bytes) {
  std::string packed(ZSTD_compressBound(Chunker::kMax), '\0');
  return seconds([&] {
    for (auto rest = bytes; !rest.empty();) {
      const auto length = Chunker::cut(rest);
      (void)sha256(rest.substr(0, length));
      ZSTD_compress(packed.data(), packed.size(), rest.data(), length, 1);
      rest.remove_prefix(length);
    }
  });
}

void ingest_big(const std::string& directory) {
  const std::size_t size = std::size_t{1} << 30U;
  const std::string bytes = half_compressible(size, 1);
  const double limit = core_limit(bytes);
  World world(directory + "/big");
  const double ours = seconds([&] {
    world.put(world.root(), "big", bytes);
    world.finish();
  });
  print_row("ingest + commit, 1 GiB", fmt::format("{:.0f} MB/s", 1073.7 / ours),
            fmt::format("cut + SHA-256 + zstd-1, one core: {:.0f} MB/s", 1073.7 / limit), limit / ours);
  std::string back(size, '\0');
  const auto file = must(world.store->trees().lookup(world.root(), "big"));
  const double read = seconds([&] { must(world.store->trees().read(file, 0, std::as_writable_bytes(std::span(back)))); });
  if (back != bytes) must(Result<void>(Error{Code::kCorrupt, "the file read back differs"}));
  print_row("read back, 1 GiB", fmt::format("{:.0f} MB/s", 1073.7 / read), "writing it", ours / read);
}

void ingest_small(const std::string& directory) {
  constexpr int kFiles = 10000;
  const std::string bytes = half_compressible(std::size_t{kFiles} * 4096, 2);
  const std::string plain = directory + "/plain";
  boost::filesystem::create_directories(plain);
  const double ext4 = seconds([&] {
    for (int i = 0; i < kFiles; ++i) {
      const auto file = must(File::open(fmt::format("{}/{}", plain, i), O_WRONLY | O_CREAT));
      must(file.write_at(0, std::string_view(bytes).substr(std::size_t(i) * 4096, 4096), {}));
    }
    const int fd = ::open(plain.c_str(), O_RDONLY);
    ::syncfs(fd);
    ::close(fd);
  });
  World world(directory + "/small");
  const double ours = seconds([&] {
    for (int i = 0; i < kFiles; ++i) {
      world.put(world.root(), fmt::format("f{}", i), std::string_view(bytes).substr(std::size_t(i) * 4096, 4096));
    }
    world.finish();
  });
  print_row("ingest + commit, 10,000 files of 4 KiB", fmt::format("{:.0f} files/s", kFiles / ours),
            fmt::format("plain files + syncfs: {:.0f} files/s", kFiles / ext4), ours / ext4);
}

// Directories of 1,000 files, so that a tree of 100,000 is one that people have.
double commit_after_one_change(World& world, int files) {
  const auto base = must(world.store->trees().make(world.root(), fmt::format("tree{}", files), [] {
    MakeRequest request;
    request.kind = Kind::kDirectory;
    return request;
  }()));
  for (int i = 0; i < files; ++i) {
    static NodePtr directory;
    if (i % 1000 == 0) {
      MakeRequest request;
      request.kind = Kind::kDirectory;
      directory = must(world.store->trees().make(base, fmt::format("d{}", i / 1000), request));
    }
    world.put(directory, fmt::format("f{}", i), fmt::format("content {}", i));
  }
  world.finish();
  std::vector<double> times;
  for (int change = 0; change < 200; ++change) {
    const auto directory = must(world.store->trees().lookup(base, fmt::format("d{}", (change * 7) % std::max(1, files / 1000))));
    const auto file = must(world.store->trees().lookup(directory, fmt::format("f{}", ((change * 7) % std::max(1, files / 1000)) * 1000 + change)));
    times.push_back(seconds([&] {
      must(world.store->trees().write(file, 0, as_bytes(std::string_view("changed"))));
      world.finish();
    }));
  }
  return median(times);
}

void commits(const std::string& directory) {
  World world(directory + "/commits");
  const double few = commit_after_one_change(world, 1000);
  const double many = commit_after_one_change(world, 100000);
  const auto probe = must(File::open(directory + "/probe", O_WRONLY | O_CREAT));
  std::vector<double> syncs;
  for (int i = 0; i < 200; ++i) {
    syncs.push_back(seconds([&] {
      must(probe.write_at(static_cast<std::uint64_t>(i) * 4096, std::string(4096, 'x'), {}));
      must(probe.sync_data());
    }));
  }
  print_row("one change in 1k files, durable commit", fmt::format("{:.2f} ms", few * 1e3),
            fmt::format("append 4 KiB + fdatasync: {:.2f} ms", median(syncs) * 1e3), few / median(syncs));
  print_row("one change in 100k files, durable commit", fmt::format("{:.2f} ms", many * 1e3),
            fmt::format("the same in 1k files: {:.2f} ms", few * 1e3), many / few, 1.5);

  const auto source = must(world.store->trees().lookup(world.root(), "tree100000"));
  const double copy = seconds([&] { must(world.store->trees().copy_entry(source, world.root(), "copy")); });
  print_row("reference copy of 100k files", fmt::format("{:.3f} ms", copy * 1e3),
            fmt::format("append 4 KiB + fdatasync: {:.2f} ms", median(syncs) * 1e3), copy / median(syncs));
}

int run(const std::string& base) {
  const std::string directory = base + "/pfs-bench-" + std::to_string(::getpid());
  boost::filesystem::create_directories(directory);
  print_head();
  ingest_big(directory);
  ingest_small(directory);
  commits(directory);
  boost::filesystem::remove_all(directory);
  return 0;
}

}  // namespace
}  // namespace pfs::bench

int main(int argc, char** argv) {
  const char* base = std::getenv("TMPDIR");
  return pfs::bench::run(argc > 1 ? argv[1] : base != nullptr ? base : "/tmp");
}
