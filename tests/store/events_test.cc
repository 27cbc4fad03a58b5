#include <catch2/catch.hpp>

#include <mutex>
#include <thread>

#include <fmt/format.h>

#include "store/events.h"
#include "store/refs/memory_ref_db.h"
#include "store/refs/rocks_db.h"
#include "store/refs/rocks_ref_db.h"
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

TEST_CASE("a listener without a proper name is refused", "[store]") {
  MemoryRefDb refs;
  CHECK_FALSE(EventFeed::start(refs, "a/b", EventStart::kNow, [](auto) { return Result<void>(); }));
}

}  // namespace
}  // namespace pfs::test
