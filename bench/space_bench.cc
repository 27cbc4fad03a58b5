// What half-compressible files take in a store: as they were committed, after a repack, and in a borg repository of the same
// files (where borg is installed).
// Usage: space_bench [DIRECTORY [MIB]]   (default: $TMPDIR or /tmp, 1,024; 128 where PFS_BENCH_SHORT is set)
//
// Four files: stretches of 4 to 64 KiB, by turns random and of words, of which there are 4,096 and few that are frequent, as in a
// language (log-uniform ranks, close to Zipf's law).
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmath>
#include <cstdlib>
#include <random>
#include <string>
#include <thread>

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

std::string half_compressible(std::size_t size, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  std::string bytes;
  bytes.reserve(size + 65536);
  for (bool words = false; bytes.size() < size; words = !words) {
    const auto end = bytes.size() + 4096 + random() % 61440;
    while (bytes.size() < end) {
      const auto value = random();
      const auto rank = static_cast<std::uint64_t>(std::exp2(12 * static_cast<double>(value) / 0x1p64));
      if (words) bytes += fmt::format("{:x} ", rank * 2654435761U);
      else bytes.append(reinterpret_cast<const char*>(&value), sizeof value);
    }
  }
  bytes.resize(size);
  return bytes;
}

double megabytes_on_disk(const std::string& path) {
  std::uint64_t bytes = 0;
  for (const auto& entry : boost::filesystem::recursive_directory_iterator(path)) {
    struct stat info {};
    if (::lstat(entry.path().c_str(), &info) == 0 && S_ISREG(info.st_mode)) bytes += static_cast<std::uint64_t>(info.st_blocks) * 512;
  }
  return static_cast<double>(bytes) / 1e6;
}

double packs(const std::string& store) { return megabytes_on_disk(store + "/packs") + megabytes_on_disk(store + "/open"); }

std::unique_ptr<Store> open(const std::string& path, const Clock& clock, const PackingOptions& packing) {
  StoreOptions options;
  options.path = path;
  options.clock = &clock;
  options.automatic_commits = false;
  options.packing = packing;
  return must(Store::open(options));
}

// 0 where there is no borg.
double borg_takes(const std::string& directory, const std::string& files) {
  const auto repository = directory + "/borg";
  const auto command = fmt::format(
      "command -v borg >/dev/null && export BORG_BASE_DIR={0}/borg-home BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK=yes && "
      "borg init -e none {1} && borg create -C {2} {1}::a {3}",
      directory, repository, "zstd,3", files);
  if (std::system(command.c_str()) != 0) return 0;
  return megabytes_on_disk(repository);
}

int run(const std::string& base, std::size_t mib) {
  const std::string directory = base + "/pfs-space-" + std::to_string(::getpid());
  const std::string plain = directory + "/plain";
  boost::filesystem::create_directories(plain);
  const SystemClock clock;
  const PackingOptions none{.automatic = false};
  const std::string path = directory + "/store";
  {
    const auto store = open(path, clock, none);
    const auto ref = *BranchRef::parse("data@master");
    must(store->catalog().create_branch(ref, std::nullopt, true));
    const auto tree = must(store->trees().branch(ref));
    for (std::uint64_t i = 0; i < 4; ++i) {
      const auto bytes = half_compressible(mib << 18U, i);
      const auto file = must(store->trees().make(store->trees().root(tree), fmt::format("file{}", i), {}));
      for (std::size_t at = 0; at < bytes.size(); at += 1U << 20U) {
        must(store->trees().write(file, at, as_bytes(std::string_view(bytes).substr(at, 1U << 20U))));
      }
      must(must(File::open(fmt::format("{}/{}", plain, i), O_WRONLY | O_CREAT)).write_at(0, bytes, {}));
    }
    must(store->catalog().finish(ref, {}));
  }
  const double committed = packs(path);
  PackingOptions sealing;
  sealing.seal_age = std::chrono::milliseconds(0);
  const auto store = open(path, clock, sealing);
  while (!boost::filesystem::is_empty(path + "/open")) std::this_thread::sleep_for(std::chrono::milliseconds(50));
  double seconds_taken = 0;
  seconds_taken = seconds([&] { must(store->repack({})); });
  const double repacked = packs(path);
  const double borg = borg_takes(directory, plain);
  const auto compared = borg > 0 ? fmt::format("borg, zstd 3: {:.0f} MB", borg) : std::string("(no borg here)");
  print_head();
  print_row(fmt::format("{} MiB of files, committed", mib), fmt::format("{:.0f} MB", committed), compared, borg > 0 ? committed / borg : 0);
  print_row(fmt::format("repacked, in {:.1f} s", seconds_taken), fmt::format("{:.0f} MB", repacked), compared, borg > 0 ? repacked / borg : 0, 1.05);
  boost::filesystem::remove_all(directory);
  return 0;
}

}  // namespace
}  // namespace pfs::bench

int main(int argc, char** argv) {
  const char* base = std::getenv("TMPDIR");
  const std::size_t mib = argc > 2 ? std::stoul(argv[2]) : std::getenv("PFS_BENCH_SHORT") != nullptr ? 128 : 1024;
  return pfs::bench::run(argc > 1 ? argv[1] : base != nullptr ? base : "/tmp", mib);
}
