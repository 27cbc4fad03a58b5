// A power cut takes what was not synced: a kill that the database's log survives whole, after which the newest file of the
// staging area is made what it may be then.
#include <catch2/catch.hpp>

#include <fcntl.h>

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include <boost/filesystem.hpp>

#include "base/clock.h"
#include "base/file.h"
#include "fault/staging_victim.h"
#include "store/store.h"
#include "support/killed_child.h"
#include "support/must.h"
#include "support/temporary_directory.h"

namespace pfs::test {
namespace {

using namespace pfs::store;

class World {
 public:
  /// Runs the victim, which dies at the fault point.
  void kill_at(const char* fault, const std::string& while_it) const {
    ::setenv("PFS_FAULT", fault, 1);
    KilledChild victim({PFS_STAGING_VICTIM, path_, while_it});
    ::unsetenv("PFS_FAULT");
    REQUIRE(victim.read_line() == "synced");
    REQUIRE(victim.read_line().empty());
    victim.kill();
    REQUIRE(victim.ended_well());
  }

  /// The files in a directory of the staging area, oldest first: their names are numbers.
  std::vector<std::string> staged(const std::string& directory) const {
    std::vector<std::string> paths;
    for (boost::filesystem::directory_iterator it(path_ + "/stage/" + directory), end; it != end; ++it) {
      paths.push_back(it->path().string());
    }
    std::sort(paths.begin(), paths.end());
    return paths;
  }

  void open() {
    StoreOptions options;
    options.path = path_;
    options.clock = &clock_;
    options.automatic_commits = false;
    store_ = must(Store::open(options));
    must(store_->resume());
  }

  std::string read(const std::string& name) {
    auto& trees = store_->trees();
    const auto root = trees.root(must(trees.branch(must(BranchRef::parse("kept@master")))));
    const auto file = must(trees.lookup(root, name));
    std::string bytes(must(trees.stat(file)).size, '\0');
    must(trees.read(file, 0, std::as_writable_bytes(std::span(bytes))));
    return bytes;
  }

 private:
  TemporaryDirectory directory_;
  const std::string path_ = directory_ / "store";
  SystemClock clock_;  // before the store, which uses it to the end
  std::unique_ptr<Store> store_;
};

}  // namespace

TEST_CASE("a synced file survives a power cut while its bytes are moved out of a sparse segment", "[store][fault]") {
  World world;
  // each of the files was synced once
  world.kill_at(("store.staging.sync:kill:" + std::to_string(kKeptFiles + 1)).c_str(), "moved");
  const auto segments = world.staged("log");
  REQUIRE(segments.size() == 3);
  boost::filesystem::resize_file(segments.back(), 0);  // begun by the move: it has nothing else
  world.open();
  for (int file = 0; file < kKeptFiles; ++file) CHECK((world.read(kept_name(file)) == kept_bytes(file)));
}

TEST_CASE("a synced file survives a power cut while its spools are merged", "[store][fault]") {
  World world;
  // each of the three spools was synced once
  world.kill_at("store.spool.sync:kill:4", "merged");
  const auto spools = world.staged("spool");
  REQUIRE(spools.size() == 4);
  {
    const auto newest = must(File::open(spools.back(), O_RDWR));
    const auto size = must(newest.size());
    REQUIRE(::fallocate(newest.fd(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, static_cast<off_t>(size)) == 0);
  }
  world.open();
  CHECK((world.read("file") == spooled_bytes(3)));
}

}  // namespace pfs::test
