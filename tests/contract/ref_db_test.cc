#include <catch2/catch.hpp>

#include <thread>
#include <tuple>

#include "store/ref_db.h"
#include "store/refs/memory_ref_db.h"
#include "store/refs/rocks_db.h"
#include "store/refs/rocks_ref_db.h"
#include "support/killed_child.h"
#include "support/temporary_directory.h"

namespace pfs::store {
namespace {

using std::chrono::milliseconds;

class MemoryRefs {
 public:
  RefDb& refs() { return refs_; }

 private:
  MemoryRefDb refs_;
};

class RocksRefs {
 public:
  RocksRefs() { open(); }
  RefDb& refs() { return *refs_; }
  void reopen() {
    refs_.reset();
    database_.reset();
    open();
  }

 private:
  void open() {
    database_ = RocksDatabase::open(directory_ / "db").value();
    refs_ = RocksRefDb::open(*database_).value();
  }

  test::TemporaryDirectory directory_;
  std::unique_ptr<RocksDatabase> database_;
  std::unique_ptr<RocksRefDb> refs_;
};

using RefBackends = std::tuple<MemoryRefs, RocksRefs>;

RefTxn put(std::string key, std::string value) {
  RefTxn txn;
  txn.put.push_back({std::move(key), std::move(value)});
  return txn;
}

RefTxn happened(std::string kind, int count = 1) {
  RefTxn txn;
  for (int i = 0; i < count; ++i) txn.events.push_back({Seq(), kind, "key " + std::to_string(i), "value"});
  return txn;
}

std::vector<std::string> keys(const RefDb& refs, std::string_view prefix, std::string_view after = {}) {
  std::vector<std::string> found;
  REQUIRE(refs.scan(prefix, after, [&](std::string_view key, const RefValue&) {
    found.emplace_back(key);
    return true;
  }));
  return found;
}

std::vector<std::string> kinds(const std::vector<RefEvent>& events) {
  std::vector<std::string> found;
  for (const auto& event : events) found.push_back(event.kind);
  return found;
}

}  // namespace

TEMPLATE_LIST_TEST_CASE("a ref reads back with the number of its last write", "[store][contract]", RefBackends) {
  TestType backend;
  RefDb& refs = backend.refs();
  const auto first = refs.commit(put("branch/a", "1"));
  REQUIRE(first);
  CHECK(refs.get("branch/a").value()->value == "1");
  CHECK(refs.get("branch/a").value()->version == *first);
  CHECK_FALSE(refs.get("branch/b").value());

  const auto second = refs.commit(put("branch/a", std::string("\0\xff", 2)));
  REQUIRE(second);
  CHECK(*second > *first);
  CHECK(refs.get("branch/a").value()->value == std::string("\0\xff", 2));
  CHECK(refs.get("branch/a").value()->version == *second);
}

TEMPLATE_LIST_TEST_CASE("a transaction is carried out whole or not at all", "[store][contract]", RefBackends) {
  TestType backend;
  RefDb& refs = backend.refs();
  const auto made = refs.commit(put("a", "1"));
  REQUIRE(made);

  RefTxn txn = put("b", "2");
  txn.id = "second";
  txn.erase.push_back("a");
  txn.events.push_back({Seq(), "moved", "a", "b"});
  txn.expect.push_back({"a", *made});
  txn.expect.push_back({"c", std::nullopt});

  SECTION("every expectation holds") {
    REQUIRE(refs.commit(txn));
    CHECK_FALSE(refs.get("a").value());
    CHECK(refs.get("b").value());
    CHECK(refs.was_committed("second").value());
  }
  SECTION("one of them does not") {
    REQUIRE(refs.commit(put("c", "in the way")));
    const auto refused = refs.commit(txn);
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == Code::kConflict);
    CHECK(refs.get("a").value());
    CHECK_FALSE(refs.get("b").value());
    CHECK_FALSE(refs.was_committed("second").value());
    CHECK(refs.events(Seq(), 10, milliseconds(0)).value().empty());
  }
}

TEMPLATE_LIST_TEST_CASE("an expectation of a version or of absence is held against what is there", "[store][contract]",
                        RefBackends) {
  TestType backend;
  RefDb& refs = backend.refs();
  const auto first = refs.commit(put("a", "1"));
  REQUIRE(first);

  RefTxn txn = put("a", "2");
  SECTION("an older version conflicts") {
    REQUIRE(refs.commit(put("a", "between")));
    txn.expect.push_back({"a", *first});
  }
  SECTION("absence conflicts with a value") { txn.expect.push_back({"a", std::nullopt}); }
  SECTION("a version conflicts with absence") {
    RefTxn erase;
    erase.erase.push_back("a");
    REQUIRE(refs.commit(erase));
    txn.expect.push_back({"a", *first});
  }
  SECTION("a key that was erased and made again is not the old one") {
    RefTxn erase;
    erase.erase.push_back("a");
    REQUIRE(refs.commit(erase));
    REQUIRE(refs.commit(put("a", "1")));
    txn.expect.push_back({"a", *first});
  }
  const auto refused = refs.commit(txn);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == Code::kConflict);
}

TEMPLATE_LIST_TEST_CASE("a child made behind a reader's back shows at its parent", "[store][contract]", RefBackends) {
  // No phantoms: who makes a child writes its parent, too; who has read the children expects the parent's version.
  TestType backend;
  RefDb& refs = backend.refs();
  const auto parent = refs.commit(put("repo/data", ""));
  REQUIRE(parent);
  REQUIRE(keys(refs, "branch/data/").empty());

  RefTxn make_child = put("branch/data/master", "");
  make_child.put.push_back({"repo/data", ""});
  REQUIRE(refs.commit(make_child));

  RefTxn delete_empty;
  delete_empty.erase.push_back("repo/data");
  delete_empty.expect.push_back({"repo/data", *parent});
  const auto refused = refs.commit(delete_empty);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == Code::kConflict);
}

TEMPLATE_LIST_TEST_CASE("a scan gives the keys of a prefix in order", "[store][contract]", RefBackends) {
  TestType backend;
  RefDb& refs = backend.refs();
  const std::vector<std::string> all{"a", "b", "b/1", "b/2", "b/\xff", "b\xff", "b\xff\xff" "1", "c"};
  for (const auto& key : all) REQUIRE(refs.commit(put(key, key)));

  CHECK(keys(refs, "") == all);
  CHECK(keys(refs, "b/") == std::vector<std::string>{"b/1", "b/2", "b/\xff"});
  CHECK(keys(refs, "b/", "b/1") == std::vector<std::string>{"b/2", "b/\xff"});
  CHECK(keys(refs, "b/", "a") == std::vector<std::string>{"b/1", "b/2", "b/\xff"});
  CHECK(keys(refs, "b/", "c").empty());
  CHECK(keys(refs, "b\xff") == std::vector<std::string>{"b\xff", "b\xff\xff" "1"});
  CHECK(keys(refs, "d").empty());

  int visited = 0;
  REQUIRE(refs.scan("", "", [&](std::string_view, const RefValue&) { return ++visited < 2; }));
  CHECK(visited == 2);
}

TEMPLATE_LIST_TEST_CASE("a scan sees one moment, whatever is committed meanwhile", "[store][contract]", RefBackends) {
  TestType backend;
  RefDb& refs = backend.refs();
  REQUIRE(refs.commit(put("k/1", "old")));
  REQUIRE(refs.commit(put("k/2", "old")));
  std::vector<std::string> values;
  REQUIRE(refs.scan("k/", "", [&](std::string_view, const RefValue& value) {
    values.push_back(value.value);
    RefTxn change = put("k/2", "new");
    change.put.push_back({"k/3", "new"});
    REQUIRE(refs.commit(std::move(change)));
    return true;
  }));
  CHECK(values == std::vector<std::string>{"old", "old"});
}

TEMPLATE_LIST_TEST_CASE("a transaction that has been carried out is found by its id", "[store][contract]", RefBackends) {
  TestType backend;
  RefDb& refs = backend.refs();
  CHECK_FALSE(refs.was_committed("move 1").value());
  RefTxn txn = put("a", "1");
  txn.id = "move 1";
  const auto seq = refs.commit(txn);
  REQUIRE(seq);
  CHECK(refs.was_committed("move 1").value() == *seq);

  SECTION("and is not carried out a second time") {
    const auto again = refs.commit(txn);
    REQUIRE_FALSE(again);
    CHECK(again.error().code == Code::kExists);
    CHECK(refs.get("a").value()->version == *seq);
  }
}

TEMPLATE_LIST_TEST_CASE("events come in the order of commits, whole transactions at a time", "[store][contract]",
                        RefBackends) {
  TestType backend;
  RefDb& refs = backend.refs();
  const auto a = refs.commit(happened("a", 2));
  REQUIRE(refs.commit(put("no event", "")));
  const auto b = refs.commit(happened("b"));
  const auto c = refs.commit(happened("c", 3));
  REQUIRE(a);
  REQUIRE(b);
  REQUIRE(c);

  const auto all = refs.events(Seq(), 100, milliseconds(0)).value();
  CHECK(kinds(all) == std::vector<std::string>{"a", "a", "b", "c", "c", "c"});
  CHECK(all[0].key == "key 0");
  CHECK(all[1].key == "key 1");
  CHECK(all[1].seq == *a);
  CHECK(all[2].seq == *b);
  CHECK(all[5].value == "value");

  CHECK(kinds(refs.events(*a, 100, milliseconds(0)).value()) == std::vector<std::string>{"b", "c", "c", "c"});
  CHECK(refs.events(*c, 100, milliseconds(0)).value().empty());

  // A reader goes on after the last Seq that it saw: a torn transaction would lose events.
  CHECK(kinds(refs.events(Seq(), 3, milliseconds(0)).value()) == std::vector<std::string>{"a", "a", "b"});
  CHECK(kinds(refs.events(Seq(), 4, milliseconds(0)).value()) == std::vector<std::string>{"a", "a", "b"});
  CHECK(kinds(refs.events(Seq(), 2, milliseconds(0)).value()) == std::vector<std::string>{"a", "a"});
  CHECK(kinds(refs.events(Seq(), 1, milliseconds(0)).value()) == std::vector<std::string>{"a", "a"});
  CHECK(kinds(refs.events(*b, 1, milliseconds(0)).value()) == std::vector<std::string>{"c", "c", "c"});
}

TEMPLATE_LIST_TEST_CASE("a reader of events waits for the next one", "[store][contract]", RefBackends) {
  TestType backend;
  RefDb& refs = backend.refs();
  REQUIRE(refs.commit(happened("old")));
  const Seq old = refs.events(Seq(), 10, milliseconds(0)).value().back().seq;
  CHECK(refs.events(old, 10, milliseconds(1)).value().empty());

  std::vector<std::string> seen;
  std::thread reader([&] { seen = kinds(refs.events(old, 10, milliseconds(10'000)).value()); });
  const bool quiet = refs.commit(put("quiet", "")).has_value();
  const bool loud = refs.commit(happened("new")).has_value();
  reader.join();
  CHECK(quiet);
  CHECK(loud);
  CHECK(seen == std::vector<std::string>{"new"});
}

TEMPLATE_LIST_TEST_CASE("of many who change one value at once, nobody's change is lost", "[store][contract]",
                        RefBackends) {
  TestType backend;
  RefDb& refs = backend.refs();
  REQUIRE(refs.commit(put("counter", "0")));
  constexpr int kThreads = 4;
  constexpr int kEach = 25;

  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&refs] {
      for (int done = 0; done < kEach;) {
        const auto old = refs.get("counter").value();
        RefTxn txn = put("counter", std::to_string(std::stoi(old->value) + 1));
        txn.expect.push_back({"counter", old->version});
        txn.events.push_back({Seq(), "counted", "counter", txn.put.front().value});
        if (refs.commit(std::move(txn))) ++done;
      }
    });
  }

  // The outbox bug: numbers that become visible out of order make a reader skip one for good.
  std::vector<std::string> counted;
  Seq last;
  while (counted.size() < kThreads * kEach) {
    const auto events = refs.events(last, 7, milliseconds(10'000)).value();
    REQUIRE_FALSE(events.empty());
    for (const auto& event : events) counted.push_back(event.value);
    last = events.back().seq;
  }
  for (auto& thread : threads) thread.join();

  CHECK(refs.get("counter").value()->value == std::to_string(kThreads * kEach));
  for (std::size_t i = 0; i < counted.size(); ++i) CHECK(counted[i] == std::to_string(i + 1));
}

TEST_CASE("refs, events and numbers are there again after a reopen", "[store][contract]") {
  RocksRefs backend;
  RefTxn txn = happened("made", 2);
  txn.id = "first";
  txn.put.push_back({"a", "1"});
  const auto first = backend.refs().commit(std::move(txn));
  REQUIRE(first);
  const auto second = backend.refs().commit(put("b", "2"));
  REQUIRE(second);

  backend.reopen();
  RefDb& refs = backend.refs();
  CHECK(refs.get("a").value()->version == *first);
  CHECK(refs.get("b").value()->version == *second);
  CHECK(refs.was_committed("first").value() == *first);
  CHECK(refs.events(Seq(), 10, milliseconds(0)).value().size() == 2);
  CHECK(refs.commit(put("c", "3")).value() > *second);
}

TEST_CASE("a killed process loses no ref that it has acknowledged", "[store][contract]") {
  test::TemporaryDirectory directory;
  int acknowledged = 0;
  {
    test::KilledChild child({PFS_COMMIT_FOREVER, directory / "db"});
    while (acknowledged < 100) acknowledged = std::stoi(child.read_line());
    child.kill();
    for (auto line = child.read_line(); !line.empty(); line = child.read_line()) acknowledged = std::stoi(line);
  }

  const auto database = RocksDatabase::open(directory / "db").value();
  const auto refs = RocksRefDb::open(*database).value();
  for (int number = 1; number <= acknowledged; ++number) {
    INFO("of " << acknowledged << ", " << number);
    const auto name = std::to_string(number);
    REQUIRE(refs->get("ref/" + name).value());
    REQUIRE(refs->was_committed(name).value());
  }
  const auto events = refs->events(Seq(), 1'000'000, milliseconds(0)).value();
  REQUIRE(events.size() >= static_cast<std::size_t>(acknowledged));
  for (std::size_t i = 0; i < events.size(); ++i) REQUIRE(events[i].key == std::to_string(i + 1));
}

}  // namespace pfs::store
