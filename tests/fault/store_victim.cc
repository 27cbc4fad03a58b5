// Changes a store at random until it is killed: store_victim STORE SEED STEPS [packing]. Prints `ready` once it has committed
// what it found, then the number of each step once the store has acknowledged it. With `packing`, every object is moved as soon
// as it is there, every pack is sealed as soon as it holds something, and packs are rewritten all the time.
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <thread>

#include "base/clock.h"
#include "store/store.h"
#include "support/store_workload.h"

int main(int argc, char** argv) {
  using namespace pfs;
  if (argc != 4 && argc != 5) return 2;
  const bool packing = argc == 5;
  SystemClock clock;
  store::StoreOptions options;
  options.path = argv[1];
  options.clock = &clock;
  options.automatic_commits = false;
  options.staging = test::StoreWorkload::limits(std::strtoull(argv[2], nullptr, 10));
  if (packing) {
    options.packing.hot_bytes = 1;
    options.packing.look_every = std::chrono::milliseconds(1);
    options.packing.seal_age = std::chrono::milliseconds(0);
  }
  auto store = store::Store::open(options);
  const auto fail = [](const Error& error) {
    std::fprintf(stderr, "store_victim: %s\n", error.message.c_str());
    std::_Exit(1);
  };
  if (!store) fail(store.error());
  if (auto resumed = (*store)->resume(); !resumed) fail(resumed.error());
  if (auto settled = test::StoreWorkload::settle(**store); !settled) fail(settled.error());
  for (int branch = 0; branch < 2; ++branch) {
    if (auto finished = (*store)->catalog().finish(test::StoreWorkload::branch(branch), {}); !finished) fail(finished.error());
  }
  auto model = test::StoreWorkload::read(**store);
  if (!model) fail(model.error());
  std::puts("ready");
  std::fflush(stdout);
  std::atomic<bool> stop = false;
  std::thread rewriting;
  if (packing) {
    rewriting = std::thread([&] {
      while (!stop) {
        // a fault point may make it fail; nothing may come of it
        if (auto repacked = (*store)->repack({}); repacked && repacked->damaged > 0) std::abort();
        std::this_thread::sleep_for(std::chrono::milliseconds(5));
      }
    });
  }
  test::StoreWorkload workload(std::strtoull(argv[2], nullptr, 10));
  for (int step = 0; step < std::atoi(argv[3]); ++step) {
    const auto op = workload.next(*model);
    test::StoreWorkload::apply(op, *model);
    if (auto done = test::StoreWorkload::apply(op, **store); !done) fail(done.error());
    std::printf("%d\n", step);
    std::fflush(stdout);
  }
  stop = true;
  if (rewriting.joinable()) rewriting.join();
  return 0;
}
