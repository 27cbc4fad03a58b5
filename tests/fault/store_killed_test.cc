#include <catch2/catch.hpp>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <optional>
#include <random>
#include <thread>

#include <boost/filesystem.hpp>
#include <fmt/format.h>

#include "base/clock.h"
#include "store/store.h"
#include "support/killed_child.h"
#include "support/rounds.h"
#include "support/store_workload.h"
#include "support/temporary_directory.h"

namespace pfs::test {
namespace {

// What the store may hold when `op` was under way: before it, after it, or between the steps that it is made of.
std::vector<StoreModel> outcomes(const StoreModel& before, const StoreOp& op) {
  std::vector<StoreModel> all{before, before};
  StoreWorkload::apply(op, all.back());
  if (op.kind == StoreOp::Kind::kFinishWhileWriting) {
    StoreOp append = op;
    append.kind = StoreOp::Kind::kAppend;
    append.bytes = "a";
    all.push_back(before);
    StoreWorkload::apply(append, all.back());
    all.push_back(all[1]);
    for (const auto& name : StoreWorkload::names_of(all[1].live[op.branch], op.path)) all.back().live[op.branch][name].bytes.pop_back();
  }
  if (op.kind == StoreOp::Kind::kRetarget) {
    for (int branch = 0; branch < 2; ++branch) {
      StoreOp finish;
      finish.kind = StoreOp::Kind::kFinish;
      finish.branch = branch == 0 ? op.other : op.branch;
      all.push_back(all[all.size() == 2 ? 0 : all.size() - 1]);
      StoreWorkload::apply(finish, all.back());
    }
  }
  return all;
}

// Operations of several writes: a kill between them leaves the file in between.
void forget_half_done(const StoreOp& op, StoreModel& model) {
  const auto forget = [](StoreModel::Tree& tree, const std::string& path) {
    for (const auto& name : StoreWorkload::names_of(tree, path)) tree.erase(name);
  };
  if (op.kind == StoreOp::Kind::kPut) forget(model.live[op.branch], op.path);
  if (op.kind == StoreOp::Kind::kCopyRange) forget(model.live[op.other], op.other_path);
}

// A write into a spool is one of the kernel's: a kill within it leaves its beginning, and nothing else of the file differs.
// Such a file is taken for the written one.
void complete_cut_off_write(const StoreOp& op, const StoreModel& before, const StoreModel& after, StoreModel& found) {
  if (op.kind != StoreOp::Kind::kWrite && op.kind != StoreOp::Kind::kAppend) return;
  for (const auto& name : StoreWorkload::names_of(found.live[op.branch], op.path)) {
    const auto was = before.live[op.branch].find(name);
    const auto becomes = after.live[op.branch].find(name);
    if (was == before.live[op.branch].end() || becomes == after.live[op.branch].end()) continue;
    const std::string& whole = becomes->second.bytes;
    std::string& bytes = found.live[op.branch][name].bytes;
    if (bytes.size() < was->second.bytes.size() || bytes.size() > whole.size()) continue;
    const auto written = std::mismatch(bytes.begin(), bytes.end(), whole.begin()).first - bytes.begin();
    const auto at = static_cast<std::size_t>(written);
    if (at < bytes.size() && bytes.compare(at, bytes.npos, was->second.bytes, std::min(at, was->second.bytes.size())) != 0) continue;
    bytes = whole;
  }
}

// A store and what it holds by the model. A failure leaves both the store and, beside it, the one that its last round
// began with: `store_victim DIR/before SEED STEPS` plays that round again.
struct World {
  TemporaryDirectory directory;
  std::string path = directory / "store";
  StoreModel model;

  World() {
    SystemClock clock;
    store::StoreOptions options;
    options.path = path;
    options.clock = &clock;
    auto store = store::Store::open(options);
    REQUIRE(store);
    REQUIRE(StoreWorkload::make_branches(**store));
  }
  ~World() {
    if (std::uncaught_exceptions() == 0) return;
    directory.keep();
    std::fprintf(stderr, "the store is kept: %s\n", directory.path().c_str());
  }

  void remember() const {
    namespace filesystem = boost::filesystem;
    filesystem::remove_all(directory / "before");
    filesystem::copy(path, directory / "before", filesystem::copy_options::recursive);
  }
};

// A history that never comes to its fault point ends by itself.
constexpr int kSteps = 300;

struct Round {
  std::uint64_t seed = 0;
  std::vector<std::string> environment{};  // PFS_FAULT
  int kill_after_ms = -1;                // -1: it dies by itself
  int steps = 100000;
  bool packing = false;                  // objects and packs move all the time
};

// Runs the victim to its death and returns what it may have left; the model goes on from what is found.
void run_round(const Round& round, World& world) {
  StoreModel& model = world.model;
  world.remember();
  for (const auto& variable : round.environment) ::putenv(const_cast<char*>(variable.c_str()));
  int acknowledged = -1;
  bool ready = false;
  {
    std::vector<std::string> command{PFS_STORE_VICTIM, world.path, std::to_string(round.seed), std::to_string(round.steps)};
    if (round.packing) command.push_back("packing");
    KilledChild victim(std::move(command));
    std::thread killer;
    if (round.kill_after_ms >= 0) {
      killer = std::thread([&] {
        std::this_thread::sleep_for(std::chrono::milliseconds(round.kill_after_ms));
        victim.kill();
      });
    }
    for (auto line = victim.read_line(); !line.empty(); line = victim.read_line()) {
      if (line == "ready") ready = true;
      else acknowledged = std::atoi(line.c_str());
    }
    if (killer.joinable()) killer.join();
    victim.kill();
    const bool may_fail = std::any_of(round.environment.begin(), round.environment.end(),
                                      [](const std::string& variable) { return variable.find(":fail") != variable.npos; });
    if (!may_fail && !victim.ended_well()) FAIL("seed " << round.seed << ", after " << acknowledged << ": the victim gave up");
  }
  for (const auto& variable : round.environment) ::unsetenv(variable.substr(0, variable.find('=')).c_str());

  // what was acknowledged, played on the model, and the operation that was under way
  std::vector<StoreModel> possible;
  std::optional<StoreOp> under_way;
  StoreModel committed = model;
  for (int branch = 0; branch < 2; ++branch) {
    StoreOp finish;
    finish.kind = StoreOp::Kind::kFinish;
    finish.branch = branch;
    StoreWorkload::apply(finish, committed);
  }
  if (ready) {
    StoreWorkload workload(round.seed);
    for (int step = 0; step <= acknowledged; ++step) StoreWorkload::apply(workload.next(committed), committed);
    under_way = workload.next(committed);
    possible = outcomes(committed, *under_way);
  } else {
    possible = {model, committed};
    // whether a rename that was under way had joined them is not known: the first may have been published alone
    for (const bool joined : {model.joined, false}) {
      StoreModel first = model;
      first.joined = joined;
      StoreOp finish;
      finish.kind = StoreOp::Kind::kFinish;
      StoreWorkload::apply(finish, first);
      possible.push_back(first);
    }
  }

  SystemClock clock;
  store::StoreOptions options;
  options.path = world.path;
  options.clock = &clock;
  options.automatic_commits = false;
  auto store = store::Store::open(options);
  if (!store) FAIL("seed " << round.seed << ": reopen: " << store.error().message);
  if (auto resumed = (*store)->resume(); !resumed) FAIL("seed " << round.seed << ": resume: " << resumed.error().message);
  if (auto settled = StoreWorkload::settle(**store); !settled) FAIL("seed " << round.seed << ": settle: " << settled.error().message);
  auto found = StoreWorkload::read(**store);
  if (!found) FAIL("seed " << round.seed << ": " << found.error().message);
  std::string difference;
  for (auto candidate : possible) {
    StoreModel compared = *found;
    if (under_way) {
      complete_cut_off_write(*under_way, possible[0], possible[1], compared);
      forget_half_done(*under_way, candidate);
      forget_half_done(*under_way, compared);
    }
    difference = StoreWorkload::difference(candidate, compared);
    if (difference.empty()) break;
  }
  if (!difference.empty()) {
    FAIL("seed " << round.seed << ", " << acknowledged << " acknowledged, then "
                 << (under_way ? under_way->text() : std::string("the start")) << ": " << difference);
  }
  if (round.packing) {
    // whatever was left behind in rows and packs is moved and rewritten, and nothing is missing then
    const auto packed = (*store)->pack();
    const auto repacked = (*store)->repack({});
    if (!packed || !repacked) FAIL("seed " << round.seed << ": " << (!packed ? packed.error().message : repacked.error().message));
    REQUIRE(repacked->damaged == 0);
    const auto again = StoreWorkload::read(**store);
    if (!again) FAIL("seed " << round.seed << ", after repack: " << again.error().message);
    REQUIRE(StoreWorkload::difference(*found, *again).empty());
  }
  const bool joined = ready ? committed.joined || (under_way && possible.back().joined) : model.joined;
  model = *found;
  model.joined = joined;
}

TEST_CASE("a store killed at a random moment holds everything that it acknowledged", "[store][fault]") {
  World world;
  const std::uint64_t seed = std::random_device{}();
  std::mt19937_64 random(seed);
  INFO("seed " << seed);
  for (int kill = 0; kill < rounds(15, 2000); ++kill) {
    run_round({.seed = random(), .kill_after_ms = static_cast<int>(20 + random() % 250)}, world);
  }
}

TEST_CASE("a store killed at a fault point holds everything that it acknowledged", "[store][fault]") {
  const auto point = GENERATE(as<std::string>{}, "store.staging.append", "store.objects.flush", "store.objects.packs_synced",
                              "store.finish.frozen", "store.freeze.leaving_out", "store.finish.left_out", "store.finish.walked", "store.finish.published",
                              "store.fold.before_branch_row", "store.steps.committed", "store.steps.published", "store.spool.make",
                              "store.spool.opened", "store.spool.write", "store.spool.filled", "store.spool.truncated",
                              "store.spool.merged", "store.spool.sync", "store.staging.moved", "store.staging.sync",
                              "store.staging.remove");
  World world;
  const std::uint64_t seed = std::random_device{}();
  std::mt19937_64 random(seed);
  INFO("seed " << seed << " at " << point);
  for (int kill = 0; kill < rounds(1, 60); ++kill) {
    // one with low limits of staging; a history that never comes to the point ends by itself
    auto fault = fmt::format("PFS_FAULT={}:kill:{}", point, 1 + random() % 4);
    run_round({.seed = random() | 1U, .environment = {std::move(fault)}, .steps = kSteps}, world);
  }
}

TEST_CASE("a store killed while objects are moved and packs rewritten holds everything that it acknowledged", "[store][fault]") {
  World world;
  const std::uint64_t seed = std::random_device{}();
  std::mt19937_64 random(seed);
  INFO("seed " << seed);
  for (int kill = 0; kill < rounds(6, 1000); ++kill) {
    run_round({.seed = random(), .kill_after_ms = static_cast<int>(20 + random() % 400), .packing = true}, world);
  }
}

TEST_CASE("a store killed at a fault point of moving and rewriting holds everything that it acknowledged", "[store][fault]") {
  const auto point = GENERATE(as<std::string>{}, "store.packer.appended", "store.packer.synced", "store.packer.moved",
                              "store.packer.snapshot", "store.pack.sync", "store.pack.seal", "store.repack.appended", "store.repack.synced",
                              "store.repack.moved", "store.pack.condemned", "store.pack.removed");
  World world;
  const std::uint64_t seed = std::random_device{}();
  std::mt19937_64 random(seed);
  INFO("seed " << seed << " at " << point);
  const auto fault = [&](std::string_view what) {
    return std::vector{fmt::format("PFS_FAULT={}:{}:{}", point, what, 1 + random() % 6)};
  };
  for (int kill = 0; kill < rounds(1, 60); ++kill) {
    run_round({.seed = random(), .environment = fault("kill"), .steps = kSteps, .packing = true}, world);
  }
  // and one that fails there and goes on
  run_round({.seed = random(), .environment = fault("fail"), .kill_after_ms = 1000, .packing = true}, world);
}

}  // namespace
}  // namespace pfs::test
