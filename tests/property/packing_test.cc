#include <catch2/catch.hpp>

#include <cstdlib>
#include <map>
#include <random>
#include <set>
#include <thread>

#include <boost/filesystem.hpp>
#include <fmt/format.h>

#include "base/clock.h"
#include "base/file.h"
#include "store/refs/records.h"
#include "store/refs/ref_snapshot.h"
#include "store/store.h"
#include "support/rounds.h"
#include "support/store_workload.h"
#include "support/temporary_directory.h"

namespace pfs::test {
namespace {

store::StoreOptions options_of(const std::string& path, const Clock& clock) {
  store::StoreOptions options;
  options.path = path;
  options.clock = &clock;
  options.automatic_commits = false;
  options.packing.automatic = false;
  return options;
}

// Packs as restless as they can be: everything moves at once, and a pack is sealed as soon as it has a frame.
void make_restless(store::StoreOptions& options) {
  options.packing.automatic = true;
  options.packing.hot_bytes = 1;
  options.packing.look_every = std::chrono::milliseconds(1);
  options.packing.seal_age = std::chrono::milliseconds(0);
}

TEST_CASE("random changes leave what plain maps would hold while objects are moved and packs rewritten beside them",
          "[store][property]") {
  const char* fixed = std::getenv("PFS_SEED");
  const std::uint64_t first_seed = fixed != nullptr ? std::strtoull(fixed, nullptr, 10) : std::random_device{}();
  const int histories = fixed != nullptr ? 1 : rounds(4, 200);
  for (int history = 0; history < histories; ++history) {
    const std::uint64_t seed = first_seed + static_cast<std::uint64_t>(history);
    INFO("seed " << seed);
    TemporaryDirectory directory;
    SystemClock clock;
    auto options = options_of(directory / "store", clock);
    if (history % 2 == 1) make_restless(options);
    auto opened = store::Store::open(options);
    REQUIRE(opened);
    auto store = std::move(*opened);
    REQUIRE(StoreWorkload::make_branches(*store));
    StoreWorkload workload(seed);
    std::mt19937_64 random(seed);
    StoreModel model;
    for (int step = 0; step < 250; ++step) {
      const auto op = workload.next(model);
      StoreWorkload::apply(op, model);
      if (const auto done = StoreWorkload::apply(op, *store); !done) FAIL("step " << step << ": " << op.text() << ": " << done.error().message);
      switch (random() % 24) {
        case 0:
        case 1:
          if (const auto packed = store->pack(); !packed) FAIL("step " << step << ": pack: " << packed.error().message);
          break;
        case 2:
          if (const auto repacked = store->repack({}); !repacked) FAIL("step " << step << ": repack: " << repacked.error().message);
          else REQUIRE(repacked->damaged == 0);
          break;
        case 3:
          if (random() % 2 == 0) make_restless(options);
          store.reset();
          opened = store::Store::open(options);
          if (!opened) FAIL("reopen: " << opened.error().message);
          store = std::move(*opened);
          break;
        default: break;
      }
      if (step % 10 != 9) continue;
      const auto found = StoreWorkload::read(*store);
      if (!found) FAIL("step " << step << ": " << found.error().message);
      const auto difference = StoreWorkload::difference(model, *found);
      if (!difference.empty()) FAIL("step " << step << ": " << difference);
    }
  }
}

// Everything that the packs of a store hold, read from their files alone.
std::map<store::ObjectId, std::string> objects_in_packs(const std::string& store) {
  std::map<store::ObjectId, std::string> objects;
  for (const auto* below : {"/packs", "/open"}) {
    for (const auto& file : boost::filesystem::recursive_directory_iterator(store + below)) {
      if (!boost::filesystem::is_regular_file(file)) continue;
      const auto bytes = read_file(file.path().string());
      REQUIRE(bytes);
      for (std::size_t at = store::kPackHeaderSize; at < bytes->size();) {
        const auto rest = std::string_view(*bytes).substr(at);
        const auto header = store::decode_frame_header(rest);
        const auto frame = store::decode_frame({nullptr, rest});
        if (!header || !frame) break;  // the footer
        for (const auto& entry : frame->entries) objects[entry.id] = frame->raw.bytes.substr(entry.inner, entry.length);
        at += header->frame_length();
      }
    }
  }
  return objects;
}

// What the refs' rows say: repos, branches, their logs, and commits.
std::map<std::string, std::string> ref_rows(const store::RefDb& refs) {
  std::map<std::string, std::string> rows;
  for (const auto prefix : {"repo/", "branch/", "commit/", "blog/", "repo-commit/"}) {
    REQUIRE(refs.scan(prefix, "", [&](std::string_view key, const store::RefValue& row) {
      rows.emplace(key, row.value);
      return true;
    }));
  }
  return rows;
}

// The rows again, from packs alone.
std::map<std::string, std::string> rebuilt_rows(const std::string& store) {
  const auto objects = objects_in_packs(store);
  std::map<std::string, std::string> rows;
  std::vector<store::RefSnapshot> parts;
  for (const auto& [id, bytes] : objects) {
    if (id.kind != store::ObjectKind::kRefs) continue;
    CHECK(store::RefSnapshot::id_of(bytes) == id);
    const auto part = store::RefSnapshot::decode(bytes);
    REQUIRE(part);
    parts.push_back(*part);
  }
  store::Seq newest;
  for (const auto& part : parts) {
    if (part.complete && part.last_part) newest = std::max(newest, part.until);
  }
  for (const auto& part : parts) {
    for (const auto& published : part.commits) {
      const auto object = objects.find({store::ObjectKind::kCommit, published.object});
      REQUIRE(object != objects.end());
      const auto commit = store::decode_commit(object->second);
      REQUIRE(commit);
      CHECK(commit->id == published.id);
      rows[store::commit_key(commit->id)] = object->second;
      rows[store::repo_commit_key(*commit)] = "";
    }
    for (const auto& [branch, entry] : part.log) rows[store::log_key(branch, entry.number)] = encode(entry);
    if (part.until != newest) continue;
    for (const auto& repo : part.repos) rows[store::repo_key(repo.name)] = encode(repo);
    for (const auto& branch : part.branches) rows[store::branch_key(branch.ref)] = encode(branch);
  }
  return rows;
}

TEST_CASE("refs can be made again from packs alone", "[store][property]") {
  const std::uint64_t seed = std::random_device{}();
  INFO("seed " << seed);
  TemporaryDirectory directory;
  SystemClock clock;
  auto opened = store::Store::open(options_of(directory / "store", clock));
  REQUIRE(opened);
  auto& store = **opened;
  REQUIRE(StoreWorkload::make_branches(store));
  StoreWorkload workload(seed);
  StoreModel model;
  for (int turn = 0; turn < 5; ++turn) {
    for (int step = 0; step < 150; ++step) {
      const auto op = workload.next(model);
      StoreWorkload::apply(op, model);
      REQUIRE(StoreWorkload::apply(op, store));
    }
    REQUIRE(store.pack());
    CHECK(rebuilt_rows(directory / "store") == ref_rows(store.refs()));
  }
  SECTION("nothing is told twice where nothing happened") {
    const auto before = objects_in_packs(directory / "store").size();
    REQUIRE(store.pack());
    CHECK(objects_in_packs(directory / "store").size() == before);
  }
  SECTION("also when packs were rewritten") {
    REQUIRE(store.repack({}));
    CHECK(rebuilt_rows(directory / "store") == ref_rows(store.refs()));
  }
}

TEST_CASE("a snapshot of many refs comes in parts, and of a long history in several snapshots", "[store][property]") {
  TemporaryDirectory directory;
  SystemClock clock;
  auto opened = store::Store::open(options_of(directory / "store", clock));
  REQUIRE(opened);
  auto& store = **opened;
  const auto ref = *BranchRef::parse("data@master");
  REQUIRE(store.catalog().create_branch(ref, std::nullopt, true));
  store::FinishOptions keep;
  keep.keep_unchanged = true;
  constexpr std::size_t kCommits = 1100;
  for (std::size_t i = 0; i < kCommits; ++i) REQUIRE(store.catalog().finish(ref, keep));
  const auto first = store::take_ref_snapshot(store.refs(), store::Seq(0), 10, clock.now());
  REQUIRE(first);
  CHECK_FALSE(first->complete);
  CHECK(first->branches.empty());
  CHECK(first->commits.size() >= 10);
  CHECK(first->commits.size() == first->log.size());
  const auto second = store::take_ref_snapshot(store.refs(), first->until, 100'000, clock.now());
  REQUIRE(second);
  CHECK(second->complete);
  CHECK(second->branches.size() == 1);
  CHECK(first->commits.size() + second->commits.size() == kCommits);
  CHECK(first->log.size() + second->log.size() == kCommits);

  auto big = *second;
  for (int i = 0; i < 5000; ++i) big.commits.push_back(big.commits.front());
  const auto parts = big.encode();
  REQUIRE(parts.size() >= 2);
  std::size_t commits = 0;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const auto part = store::RefSnapshot::decode(parts[i]);
    REQUIRE(part);
    CHECK(part->part == i);
    CHECK(part->last_part == (i + 1 == parts.size()));
    commits += part->commits.size();
  }
  CHECK(commits == big.commits.size());
}

TEST_CASE("small commits' objects take a third once they were packed", "[store][property]") {
  TemporaryDirectory directory;
  SystemClock clock;
  auto opened = store::Store::open(options_of(directory / "store", clock));
  REQUIRE(opened);
  auto& store = **opened;
  const auto ref = *BranchRef::parse("data@master");
  REQUIRE(store.catalog().create_branch(ref, std::nullopt, true));
  const auto tree = store.trees().branch(ref);
  REQUIRE(tree);
  const auto root = store.trees().root(*tree);
  for (int i = 0; i < 60; ++i) REQUIRE(store.trees().make(root, fmt::format("file_{:05}.jpg", i), {}));
  constexpr int kCommits = 200;
  for (int i = 0; i < kCommits; ++i) {
    const auto file = store.trees().lookup(root, fmt::format("file_{:05}.jpg", i * 7 % 60));
    REQUIRE(file);
    REQUIRE(store.trees().write(*file, 0, as_bytes(fmt::format("version {}", i))));
    REQUIRE(store.catalog().finish(ref, {}));
  }
  std::uint64_t in_hot = 0;
  REQUIRE(store.local().scan(store::Family::kHot, "", "", [&](std::string_view key, std::string_view value) {
    in_hot += key.size() + value.size();
    return true;
  }));
  REQUIRE(store.pack());
  std::uint64_t in_packs = 0;
  for (const auto& file : boost::filesystem::directory_iterator(directory / "store/open")) in_packs += boost::filesystem::file_size(file);
  INFO(in_hot << " bytes in rows, " << in_packs << " in packs");
  CHECK(in_packs * 3 < in_hot);
  CHECK(in_packs / kCommits < 700);
}

}  // namespace
}  // namespace pfs::test
