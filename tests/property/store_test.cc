#include <catch2/catch.hpp>

#include <atomic>
#include <cstdlib>
#include <iostream>
#include <thread>

#include <fmt/format.h>

#include "base/clock.h"
#include "store/store.h"
#include "support/must.h"
#include "support/rounds.h"
#include "support/store_workload.h"
#include "support/temporary_directory.h"

namespace pfs::test {
namespace {

/// What the store counts as staged and needed, which the next start counts anew. Less than that start finds would be bytes that
/// were released twice, and somebody else pays for it. (Blocks of a spool that are not needed are known after a start only.)
std::uint64_t live_bytes(store::Store& store) {
  must(store.trees().put_entries({}, {}));  // looks after what was removed
  return must(store.space()).live_bytes;
}

/// What is in a commit or not by the moment in which it is made.
bool depends_on_commits(StoreOp::Kind kind) {
  using enum StoreOp::Kind;
  return kind == kFinish || kind == kFinishWhileWriting || kind == kDiscard || kind == kKeep || kind == kRetarget;
}

TEST_CASE("random changes in two repos leave what plain maps would hold, over commits, discards, retargets and restarts",
          "[store][property]") {
  const char* fixed = std::getenv("PFS_SEED");
  const std::uint64_t first_seed = fixed != nullptr ? std::strtoull(fixed, nullptr, 10) : std::random_device{}();
  const int histories = fixed != nullptr ? 1 : rounds(6, 400);
  for (int history = 0; history < histories; ++history) {
    const std::uint64_t seed = first_seed + static_cast<std::uint64_t>(history);
    TemporaryDirectory directory;
    SystemClock clock;
    store::StoreOptions options;
    options.path = directory.path() + "/store";
    options.clock = &clock;
    options.automatic_commits = false;
    options.staging = StoreWorkload::limits(seed);
    auto opened = store::Store::open(options);
    REQUIRE(opened);
    auto store = std::move(*opened);
    REQUIRE(StoreWorkload::make_branches(*store));
    StoreWorkload workload(seed);
    StoreModel model;
    std::string story;
    for (int step = 0; step < 250; ++step) {
      const auto op = workload.next(model);
      story += fmt::format("  {}: {}\n", step, op.text());
      INFO("seed " << seed << "\n" << story);
      StoreWorkload::apply(op, model);
      const auto done = StoreWorkload::apply(op, *store);
      if (!done) FAIL("step " << step << ": " << done.error().message);
      if (step % 60 == 59) {
        const auto live = live_bytes(*store);
        store.reset();
        opened = store::Store::open(options);
        if (!opened) FAIL("reopen: " << opened.error().message);
        store = std::move(*opened);
        REQUIRE(live_bytes(*store) <= live);
      }
      if (step % 10 != 9) continue;
      const auto found = StoreWorkload::read(*store);
      if (!found) FAIL("step " << step << ": " << found.error().message);
      const auto difference = StoreWorkload::difference(model, *found);
      if (!difference.empty()) FAIL("step " << step << ": " << difference);
    }
  }
}

TEST_CASE("random changes while commits are being made are in them or in the next", "[store][property]") {
  const char* fixed = std::getenv("PFS_SEED");
  const std::uint64_t first_seed = fixed != nullptr ? std::strtoull(fixed, nullptr, 10) : std::random_device{}();
  for (int history = 0; history < rounds(4, 200); ++history) {
    const std::uint64_t seed = first_seed + static_cast<std::uint64_t>(history);
    TemporaryDirectory directory;
    SystemClock clock;
    store::StoreOptions options;
    options.path = directory.path() + "/store";
    options.clock = &clock;
    options.automatic_commits = false;
    auto opened = store::Store::open(options);
    REQUIRE(opened);
    auto store = std::move(*opened);
    REQUIRE(StoreWorkload::make_branches(*store));
    StoreWorkload workload(seed);
    StoreModel model;
    std::string story;
    std::atomic<bool> enough = false;
    std::string failed;
    std::thread committer([&] {
      for (int turn = 0; !enough && failed.empty(); ++turn) {
        store::FinishOptions how;
        how.leave_out_written = turn / 2 % 2 == 1;  // what is being written at that moment is in a later one
        // a branch may just have another name
        const auto made = store->catalog().finish(StoreWorkload::branch(turn % 2), how);
        if (!made && made.error().code != Code::kNotFound) failed = made.error().message;
      }
    });
    std::string trouble;
    for (int step = 0; step < 250 && trouble.empty(); ++step) {
      const auto op = workload.next(model);
      if (depends_on_commits(op.kind)) continue;
      story += fmt::format("  {}: {}\n", step, op.text());
      StoreWorkload::apply(op, model);
      if (auto done = StoreWorkload::apply(op, *store); !done) trouble = done.error().message;
    }
    enough = true;
    committer.join();
    INFO("seed " << seed << "\n" << story);
    CHECK(failed == "");
    CHECK(trouble == "");
    const auto live = live_bytes(*store);
    store.reset();
    opened = store::Store::open(options);
    if (!opened) FAIL("reopen: " << opened.error().message);
    store = std::move(*opened);
    CHECK(live_bytes(*store) <= live);
    for (int restart = 0; restart < 2; ++restart) {
      for (int branch = 0; branch < 2; ++branch) {
        REQUIRE(store->catalog().finish(StoreWorkload::branch(branch), {}));
        model.head[branch] = model.live[branch];
      }
      const auto found = StoreWorkload::read(*store);
      if (!found) FAIL(found.error().message);
      const auto difference = StoreWorkload::difference(model, *found);
      if (!difference.empty()) FAIL(difference);
      store.reset();
      opened = store::Store::open(options);
      if (!opened) FAIL("reopen: " << opened.error().message);
      store = std::move(*opened);
    }
  }
}

}  // namespace
}  // namespace pfs::test
