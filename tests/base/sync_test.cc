#include "base/sync.h"

#include <catch2/catch.hpp>

#include <csignal>
#include <thread>

#include "support/child.h"

namespace pfs {

using test::run_child;

TEST_CASE("locks are taken in the order of their ranks", "[base]") {
  CHECK(run_child({PFS_BASE_CHILD, "ranks-rise"}).status == 0);
#ifndef NDEBUG
  CHECK(run_child({PFS_BASE_CHILD, "ranks-fall"}).signal == SIGABRT);
  CHECK(run_child({PFS_BASE_CHILD, "ranks-same"}).signal == SIGABRT);
#endif
}

TEST_CASE("locks may be released in any order", "[base]") {
  Mutex outer(LockRank::kBranch);
  Mutex inner(LockRank::kFile);
  Mutex between(LockRank::kDirectory);
  outer.lock();
  inner.lock();
  outer.unlock();
  inner.unlock();
  Lock again(between);  // would be refused if `inner` still counted
  SUCCEED();
}

TEST_CASE("a bug aborts in debug builds and is an error in release", "[base]") {
#ifndef NDEBUG
  CHECK(run_child({PFS_BASE_CHILD, "bug"}).signal == SIGABRT);
#else
  CHECK(run_child({PFS_BASE_CHILD, "bug"}).status == 0);
#endif
}

TEST_CASE("a condition wakes who waits for it, and times out otherwise", "[base]") {
  Mutex mutex(LockRank::kLeaf);
  Condition changed;
  bool ready = false;
  std::thread other([&] {
    Lock lock(mutex);
    ready = true;
    changed.notify_all();
  });
  {
    Lock lock(mutex);
    while (!ready) changed.wait(mutex);
    CHECK_FALSE(changed.wait_for(mutex, std::chrono::milliseconds(1)));
  }
  other.join();
}

}  // namespace pfs
