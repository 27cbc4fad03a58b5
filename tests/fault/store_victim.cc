// Changes a store at random until it is killed: store_victim STORE SEED STEPS. Prints `ready` once it has committed what it
// found, then the number of each step once the store has acknowledged it.
#include <cstdio>
#include <cstdlib>

#include "base/clock.h"
#include "store/store.h"
#include "support/store_workload.h"

int main(int argc, char** argv) {
  using namespace pfs;
  if (argc != 4) return 2;
  SystemClock clock;
  store::StoreOptions options;
  options.path = argv[1];
  options.clock = &clock;
  options.automatic_commits = false;
  options.staging = test::StoreWorkload::limits(std::strtoull(argv[2], nullptr, 10));
  auto store = store::Store::open(options);
  const auto fail = [](const Error& error) {
    std::fprintf(stderr, "store_victim: %s\n", error.message.c_str());
    std::_Exit(1);
  };
  if (!store) fail(store.error());
  if (auto resumed = (*store)->resume(); !resumed) fail(resumed.error());
  for (int branch = 0; branch < 2; ++branch) {
    if (auto finished = (*store)->catalog().finish(test::StoreWorkload::branch(branch), {}); !finished) fail(finished.error());
  }
  auto model = test::StoreWorkload::read(**store);
  if (!model) fail(model.error());
  std::puts("ready");
  std::fflush(stdout);
  test::StoreWorkload workload(std::strtoull(argv[2], nullptr, 10));
  for (int step = 0; step < std::atoi(argv[3]); ++step) {
    const auto op = workload.next(*model);
    test::StoreWorkload::apply(op, *model);
    if (auto done = test::StoreWorkload::apply(op, **store); !done) fail(done.error());
    std::printf("%d\n", step);
    std::fflush(stdout);
  }
  return 0;
}
