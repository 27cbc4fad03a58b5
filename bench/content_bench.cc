// What content costs: files in, files out, edits of big ones. Each row stands against what the cores can do, measured in
// the same run: cutting, hashing and compressing (or decoding) alone, on as many threads as there are cores.
// Usage: content_bench [ROW...]   ROW: big, again, small, read, edit (default: all); MiB of the big file in PFS_BENCH_MIB
#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>
#include <xxhash.h>
#include <zstd.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <random>
#include <string>
#include <thread>
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

constexpr std::size_t kMiB = std::size_t{1} << 20U;

template <class T>
T must(Result<T> result) {
  if (!result) {
    std::fprintf(stderr, "content_bench: %s\n", result.error().message.c_str());
    std::exit(1);
  }
  if constexpr (!std::is_void_v<T>) return std::move(*result);
}

// One MiB of a file, a function of where it is: random bytes and zeros in turn, 512 bytes each. Cheap to make, so that it
// counts neither here nor there: the random bytes are a pool's, with a number of their own in every block.
void fill(std::string& bytes, std::uint64_t seed, std::uint64_t number) {
  static const std::string pool = [] {
    std::string made(16 * kMiB, '\0');
    std::mt19937_64 random(5);
    for (std::size_t at = 0; at < made.size(); at += 1024) {
      for (std::size_t i = at; i < at + 512; i += 8) {
        const auto value = random();
        std::memcpy(made.data() + i, &value, 8);
      }
    }
    return made;
  }();
  bytes.assign(pool, number % 16 * kMiB, kMiB);
  for (std::size_t at = 0; at < bytes.size(); at += 1024) {
    const std::uint64_t own = (seed << 50U) + (number << 20U) + at;
    std::memcpy(bytes.data() + at, &own, 8);
  }
}

// The first use of memory by a virtual machine costs ten times what the second does, and memory that lies free for seconds
// goes back to the host: that is not what is measured here.
void use_memory(const std::string& directory, std::size_t mib) {
  const std::string path = directory + "/warm";
  const auto file = must(File::open(path, O_WRONLY | O_CREAT));
  const std::string bytes(kMiB, 'x');
  for (std::size_t number = 0; number < mib; ++number) must(file.write_at(number * kMiB, bytes, {}));
  ::unlink(path.c_str());
}

double cpu_seconds() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  const auto of = [](const timeval& time) { return double(time.tv_sec) + double(time.tv_usec) / 1e6; };
  return of(usage.ru_utime) + of(usage.ru_stime);
}

long peak_mib() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  return usage.ru_maxrss / 1024;
}

struct Cost {
  double wall = 0;
  double cpu = 0;
};

template <class Work>
Cost cost_of(Work work) {
  const double before = cpu_seconds();
  const double wall = seconds(work);
  return {wall, cpu_seconds() - before};
}

// `work(number)` for each MiB, shared among as many threads as there are cores.
template <class Work>
Cost on_all_cores(std::size_t mib, Work work) {
  const unsigned cores = std::max(1U, std::thread::hardware_concurrency());
  return cost_of([&] {
    std::vector<std::thread> threads;
    for (unsigned core = 0; core < cores; ++core) {
      threads.emplace_back([&, core] {
        for (std::size_t number = core; number < mib; number += cores) work(number);
      });
    }
    for (auto& thread : threads) thread.join();
  });
}

Cost ingest_limit(std::size_t mib, bool compress) {
  return on_all_cores(mib, [&](std::size_t number) {
    thread_local std::string bytes, packed(ZSTD_compressBound(Chunker::kMax), '\0');
    thread_local ZSTD_CCtx* const context = ZSTD_createCCtx();
    fill(bytes, 1, number);
    for (std::string_view rest = bytes; !rest.empty();) {
      const auto length = Chunker::cut(rest);
      (void)sha256(rest.substr(0, length));
      if (compress) ZSTD_compressCCtx(context, packed.data(), packed.size(), rest.data(), length, 1);
      rest.remove_prefix(length);
    }
  });
}

Cost decode_limit(std::size_t mib) {
  std::string bytes;
  fill(bytes, 1, 0);
  const std::size_t piece = 80 << 10U;
  std::string packed(ZSTD_compressBound(piece), '\0');
  packed.resize(ZSTD_compress(packed.data(), packed.size(), bytes.data(), piece, 1));
  return on_all_cores(mib, [&](std::size_t) {
    thread_local std::string out(piece, '\0');
    for (std::size_t done = 0; done < kMiB; done += piece) {
      volatile auto hash = XXH3_64bits(packed.data(), packed.size());
      (void)hash;
      ZSTD_decompress(out.data(), out.size(), packed.data(), packed.size());
    }
  });
}

struct World {
  explicit World(const std::string& path) : path_(path) {
    StoreOptions options;
    options.path = path;
    options.clock = &clock;
    options.automatic_commits = false;
    store = must(Store::open(options));
    if (!store->catalog().branch(ref)) must(store->catalog().create_branch(ref, std::nullopt, true));
    tree = must(store->trees().branch(ref));
  }
  NodePtr root() { return store->trees().root(tree); }
  NodePtr make(const NodePtr& directory, const std::string& name, Kind kind = Kind::kFile) {
    MakeRequest request;
    request.kind = kind;
    request.exclusive = false;
    return must(store->trees().make(directory, name, request));
  }
  void put_big(const std::string& name, std::size_t mib) {
    const auto file = make(root(), name);
    store->trees().opened_for_write(file);
    std::string bytes;
    for (std::size_t number = 0; number < mib; ++number) {
      fill(bytes, 1, number);
      must(store->trees().write(file, number * kMiB, as_bytes(bytes)));
    }
    store->trees().released_for_write(file);
  }
  void finish() { must(store->catalog().finish(ref, {})); }
  std::uint64_t stored() const {
    std::uint64_t sum = 0;
    for (const auto* name : {"/packs", "/open"}) {
      for (boost::filesystem::recursive_directory_iterator it(path_ + name), end; it != end; ++it) {
        if (boost::filesystem::is_regular_file(it->path())) sum += boost::filesystem::file_size(it->path());
      }
    }
    return sum;
  }

  std::string path_;
  SystemClock clock;
  BranchRef ref = *BranchRef::parse("data@master");
  std::unique_ptr<Store> store;
  TreePtr tree;
};

void row(const std::string& name, double mib, const Cost& ours, const std::string& what, const Cost& limit, double target) {
  print_row(name, fmt::format("{:.0f} MiB/s", mib / ours.wall), fmt::format("{}: {:.0f} MiB/s", what, mib / limit.wall),
            limit.wall / ours.wall, target, false);
  std::printf("%-44s | cpu %.2f s, limit's %.2f s: %.2f; peak RSS %ld MiB\n", "", ours.cpu, limit.cpu, limit.cpu / ours.cpu, peak_mib());
}

void big(const std::string& directory, std::size_t mib, bool again) {
  const auto limit = ingest_limit(mib, true);
  World world(directory + "/big");
  Cost put, finish;
  use_memory(directory, 2 * mib);
  const auto ours = cost_of([&] {
    put = cost_of([&] { world.put_big("big", mib); });
    finish = cost_of([&] { world.finish(); });
  });
  row(fmt::format("put + commit, {} MiB", mib), double(mib), ours, "cut + SHA-256 + zstd-1, all cores", limit, 0.85);
  std::printf("%-44s | put %.2f s (cpu %.2f), commit %.2f s (cpu %.2f), stored %lu MiB\n", "", put.wall, put.cpu, finish.wall, finish.cpu,
              world.stored() / kMiB);
  if (!again) return;
  const auto before = world.stored();
  const auto hashing = ingest_limit(mib, false);
  const auto put_again = cost_of([&] { world.put_big("again", mib); });
  const auto known = cost_of([&] { world.finish(); });
  row("commit of the same data again", double(mib), known, "cut + SHA-256, all cores", hashing, 0.7);
  std::printf("%-44s | put %.2f s, stored %lu B\n", "", put_again.wall, world.stored() - before);
}

void small(const std::string& directory, int files) {
  World world(directory + fmt::format("/small{}", files));
  std::string bytes;
  NodePtr into;
  Cost put, finish;
  const auto ours = cost_of([&] {
    put = cost_of([&] {
      for (int i = 0; i < files; ++i) {
        if (i % 1000 == 0) into = world.make(world.root(), fmt::format("d{}", i / 1000), Kind::kDirectory);
        if (i % 256 == 0) fill(bytes, 3, static_cast<std::uint64_t>(i));
        const auto file = world.make(into, fmt::format("f{}", i));
        world.store->trees().opened_for_write(file);
        must(world.store->trees().write(file, 0, as_bytes(std::string_view(bytes).substr(std::size_t(i % 256) * 4096, 4096))));
        world.store->trees().released_for_write(file);
      }
    });
    finish = cost_of([&] { world.finish(); });
  });
  const double wanted = 0.7 * 4.4 * files / 100000;
  print_row(fmt::format("{} files of 4 KiB + commit", files), fmt::format("{:.2f} s", ours.wall),
            fmt::format("0.7 x restic's on its own machine: {:.2f} s", wanted), ours.wall / wanted, 1);
  std::printf("%-44s | put %.2f s (cpu %.2f), commit %.2f s (cpu %.2f), stored %lu MiB; peak RSS %ld MiB\n", "", put.wall, put.cpu,
              finish.wall, finish.cpu, world.stored() / kMiB, peak_mib());
}

void read(const std::string& directory, std::size_t mib) {
  if (!boost::filesystem::exists(directory + "/big")) {
    World world(directory + "/big");
    world.put_big("big", mib);
    world.finish();
  }
  const auto limit = decode_limit(mib);
  World world(directory + "/big");
  const auto file = must(world.store->trees().lookup(world.root(), "big"));
  std::string out(128 << 10U, '\0');
  std::string expected;
  bool same = true;
  const auto ours = cost_of([&] {
    for (std::size_t at = 0; at < mib * kMiB; at += out.size()) {
      must(world.store->trees().read(file, at, std::as_writable_bytes(std::span(out))));
      if (at % (64 * kMiB) == 0) {
        fill(expected, 1, at / kMiB);
        same = same && std::string_view(expected).substr(0, out.size()) == out;
      }
    }
  });
  if (!same) must(Result<void>(Error{Code::kCorrupt, "the file read back differs"}));
  row(fmt::format("sequential read in 128 KiB, {} MiB", mib), double(mib), ours, "XXH3 + zstd decode, all cores", limit, 0.85);
  std::mt19937_64 random(7);
  constexpr int kReads = 20000;
  std::vector<std::byte> page(4096);
  const auto random_reads = cost_of([&] {
    for (int i = 0; i < kReads; ++i) must(world.store->trees().read(file, random() % (mib * kMiB - 4096), page));
  });
  print_row("random reads of 4 KiB", fmt::format("{:.0f} /s", kReads / random_reads.wall), "6,000 /s", kReads / random_reads.wall / 6000, 1, false);
}

void edit(const std::string& directory) {
  constexpr std::size_t kFile = 200;
  World world(directory + "/edit");
  world.put_big("file", kFile);
  world.finish();
  std::mt19937_64 random(9);
  std::vector<double> times;
  double cpu = 0;
  const auto before = world.stored();
  for (int round = 0; round < 10; ++round) {
    const auto file = must(world.store->trees().lookup(world.root(), "file"));
    std::string piece(kFile * kMiB / 2000, '\0');  // 20 of them are 1 %
    for (auto& c : piece) c = static_cast<char>(random());
    for (int place = 0; place < 20; ++place) {
      must(world.store->trees().write(file, random() % (kFile * kMiB - piece.size()), as_bytes(piece)));
    }
    const auto cost = cost_of([&] { world.finish(); });
    times.push_back(cost.wall);
    cpu += cost.cpu;
  }
  std::sort(times.begin(), times.end());
  print_row("commit of 20 edits (1 %) in 200 MiB", fmt::format("{:.1f} ms", times[5] * 1e3), "28 ms", times[5] / 0.028, 1);
  std::printf("%-44s | cpu %.1f ms; new bytes a round: %.2f MiB\n", "", cpu * 100, double(world.stored() - before) / double(kMiB) / 10);
}

int run(std::vector<std::string> rows) {
  const char* base = std::getenv("TMPDIR");
  const std::string directory = std::string(base != nullptr ? base : "/tmp") + "/pfs-bench-" + std::to_string(::getpid());
  boost::filesystem::create_directories(directory);
  const char* wanted = std::getenv("PFS_BENCH_MIB");
  const std::size_t mib = wanted != nullptr ? std::strtoul(wanted, nullptr, 10) : 1024;
  if (rows.empty()) rows = {"again", "read", "small", "edit"};
  print_head();
  for (const auto& name : rows) {
    if (name == "big" || name == "again") big(directory, mib, name == "again");
    if (name == "read") read(directory, mib);
    if (name == "small") {
      small(directory, 10000);
      small(directory, 100000);
    }
    if (name == "edit") edit(directory);
  }
  boost::filesystem::remove_all(directory);
  return 0;
}

}  // namespace
}  // namespace pfs::bench

int main(int argc, char** argv) { return pfs::bench::run({argv + 1, argv + argc}); }
