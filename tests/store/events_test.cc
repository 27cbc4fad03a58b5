#include <catch2/catch.hpp>

#include <mutex>
#include <thread>

#include <fmt/format.h>

#include "store/events.h"
#include "store/refs/memory_ref_db.h"
#include "store/refs/rocks_db.h"
#include "store/refs/rocks_ref_db.h"
#include "support/store_world.h"
#include "support/temporary_directory.h"

namespace pfs::test {
namespace {

using namespace pfs::store;

void happen(RefDb& refs, const std::string& what) {
  RefTxn txn;
  txn.events.push_back({{}, "test", what, ""});
  txn.events.push_back({{}, "test", what + "'", ""});
  REQUIRE(refs.commit(std::move(txn)));
}

class Heard {
 public:
  EventListener listener() {
    return [this](std::span<const RefEvent> events) -> Result<void> {
      std::lock_guard lock(mutex_);
      if (refusals > 0) {
        --refusals;
        return Error{Code::kUnavailable, "not now"};
      }
      for (const auto& event : events) keys_.push_back(event.key);
      return {};
    };
  }
  std::vector<std::string> keys() {
    std::lock_guard lock(mutex_);
    return keys_;
  }
  bool wait_for(const std::vector<std::string>& expected) {
    for (int i = 0; i < 500 && keys() != expected; ++i) std::this_thread::sleep_for(std::chrono::milliseconds(10));
    return keys() == expected;
  }
  int refusals = 0;

 private:
  std::mutex mutex_;
  std::vector<std::string> keys_;
};

TEST_CASE("a listener is told of every event in order, also of those while it was away", "[store]") {
  TemporaryDirectory directory;
  auto database = RocksDatabase::open(directory / "db");
  REQUIRE(database);
  auto opened = RocksRefDb::open(**database);
  REQUIRE(opened);
  RefDb& refs = **opened;
  happen(refs, "before");
  {
    Heard heard;
    auto feed = EventFeed::start(refs, "watcher", EventStart::kOldest, heard.listener());
    REQUIRE(feed);
    CHECK(heard.wait_for({"before", "before'"}));
    happen(refs, "a");
    CHECK(heard.wait_for({"before", "before'", "a", "a'"}));
  }
  happen(refs, "away");
  Heard heard;
  auto feed = EventFeed::start(refs, "watcher", EventStart::kOldest, heard.listener());
  REQUIRE(feed);
  CHECK(heard.wait_for({"away", "away'"}));
}

TEST_CASE("a listener that begins now is told of nothing older", "[store]") {
  MemoryRefDb refs;
  happen(refs, "old");
  Heard heard;
  auto feed = EventFeed::start(refs, "watcher", EventStart::kNow, heard.listener());
  REQUIRE(feed);
  happen(refs, "new");
  CHECK(heard.wait_for({"new", "new'"}));
}

TEST_CASE("what a listener refuses is told again, and nothing overtakes it", "[store]") {
  MemoryRefDb refs;
  Heard heard;
  heard.refusals = 1;
  auto feed = EventFeed::start(refs, "watcher", EventStart::kOldest, heard.listener());
  REQUIRE(feed);
  happen(refs, "a");
  happen(refs, "b");
  CHECK(heard.wait_for({"a", "a'", "b", "b'"}));
}

TEST_CASE("every commit and every move of a HEAD is told, also what was not heard before the store was opened again", "[store]") {
  StoreWorld world{branch_ref("data@master"), branch_ref("data@other")};
  std::mutex mutex;
  std::vector<std::string> heads;
  bool away = false;
  const EventListener listener = [&](std::span<const RefEvent> events) -> Result<void> {
    std::lock_guard lock(mutex);
    if (away) return Error{Code::kUnavailable, "not now"};
    for (const auto& event : events) {
      if (event.kind == "head") heads.push_back(event.key + " " + event.value);
    }
    return {};
  };
  const auto heard = [&](const std::vector<std::string>& expected) {
    for (int i = 0; i < 500; ++i) {
      {
        std::lock_guard lock(mutex);
        if (heads == expected) return true;
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    return false;
  };
  const auto commit = [&](const std::string& name) {
    world.make(world.root(), name, Kind::kFile, name);
    return world.finish().hex();
  };
  auto feed = EventFeed::start(world.store().refs(), "watcher", EventStart::kOldest, listener);
  REQUIRE(feed);
  const auto first = commit("first");
  CHECK(heard({"data@master " + first}));
  {
    std::lock_guard lock(mutex);
    away = true;
    heads.clear();
  }
  const auto second = commit("second");
  REQUIRE(world.catalog().retarget(branch_ref("data@other"), commit_ref("data@" + first)));
  feed->reset();
  world.open();
  away = false;
  feed = EventFeed::start(world.store().refs(), "watcher", EventStart::kOldest, listener);
  REQUIRE(feed);
  const std::vector<std::string> missed = {"data@master " + second, "data@other " + first};
  CHECK(heard(missed));
  const std::vector<RefStep> deletion{DeleteCommit{*RepoName::parse("data"), *CommitId::from_hex(first)}};
  REQUIRE(world.catalog().transact(deletion));
  CHECK(heard({missed[0], missed[1], "data@other "}));
  feed->reset();
}

TEST_CASE("a listener without a proper name is refused", "[store]") {
  MemoryRefDb refs;
  CHECK_FALSE(EventFeed::start(refs, "a/b", EventStart::kNow, [](auto) { return Result<void>(); }));
}

}  // namespace
}  // namespace pfs::test
