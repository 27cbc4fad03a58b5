// A sync of a spool beside a write into it: the pause before the write's bytes makes room for that.
#include <catch2/catch.hpp>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <string>
#include <thread>

#include <boost/filesystem.hpp>

#include "base/file.h"
#include "store/repo/spool.h"
#include "support/must.h"
#include "support/temporary_directory.h"

namespace pfs::test {
namespace {

using namespace pfs::store;

// before the first fault point, which reads it
const bool kPauses = ::setenv("PFS_FAULT", "store.spool.write:pause:2", 1) == 0;

TEST_CASE("a write that ends after a sync of its spool began is synced by the next one", "[store][fault]") {
  REQUIRE(kPauses);
  const TemporaryDirectory directory;
  const auto spools = must(Spools::open(directory.path()));
  const auto spool = must(spools->make());
  const std::string bytes(10'000, 'x');
  must(spool->write(0, as_bytes(bytes)));
  std::atomic<bool> wrote{false};
  std::atomic<bool> ended{false};
  std::thread writer([&] {
    wrote = spool->write(0, as_bytes(bytes)).has_value();
    ended = true;
  });
  std::this_thread::sleep_for(std::chrono::milliseconds(500));
  const auto synced = spool->sync();
  const bool beside = !ended;
  writer.join();
  must(synced);
  REQUIRE(wrote);
  REQUIRE(beside);  // else the machine stood still for longer than the pause
  // with its name gone and others' descriptors in place of its own, a sync that has anything to do cannot
  const boost::filesystem::path path = boost::filesystem::directory_iterator(directory.path())->path();
  for (std::size_t i = 0; i < Spools::kOpenFiles; ++i) must(spools->make());
  REQUIRE(boost::filesystem::remove(path));
  CHECK_FALSE(spool->sync());
}

}  // namespace
}  // namespace pfs::test
