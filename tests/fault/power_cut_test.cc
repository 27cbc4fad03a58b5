// A power cut takes what was not synced: a kill that the database's log survives whole, after which the newest file of the
// staging area is made what it may be then.
#include <catch2/catch.hpp>

#include <fcntl.h>

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <set>
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
    const auto file = must(trees.lookup(root(), name));
    std::string bytes(must(trees.stat(file)).size, '\0');
    must(trees.read(file, 0, std::as_writable_bytes(std::span(bytes))));
    return bytes;
  }

  std::set<std::string> names() {
    auto& trees = store_->trees();
    std::set<std::string> found;
    must(trees.list(root(), "", [&](const auto& entry) {
      found.insert(entry.name);
      return true;
    }));
    return found;
  }

  void commit_with(const std::string& name) {
    must(store_->trees().make(root(), name, {}));
    must(store_->catalog().finish(kept_, {}));
  }

 private:
  NodePtr root() { return store_->trees().root(must(store_->trees().branch(kept_))); }

  const BranchRef kept_ = must(BranchRef::parse("kept@master"));
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

TEST_CASE("a branch that was moved with changes that come to nothing is where it was moved to, whatever is lost then", "[store][fault]") {
  World world;
  world.kill_at("store.steps.committed:kill", "retargeted");
  world.open();
  CHECK(world.read("file") == "new");
  CHECK(world.names() == std::set<std::string>{"file"});
  world.commit_with("another");
  CHECK(world.names() == std::set<std::string>{"another", "file"});
  CHECK(world.read("file") == "new");
}

}  // namespace pfs::test
