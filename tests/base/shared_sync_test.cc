#include "base/shared_sync.h"

#include <atomic>
#include <chrono>
#include <future>
#include <thread>
#include <vector>

#include <catch2/catch.hpp>

using namespace pfs;

namespace {

/// A sync that takes until it is let go.
class Slow {
 public:
  Result<void> operator()() {
    ++begun;
    while (!go) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    return {};
  }
  std::atomic<int> begun{0};
  std::atomic<bool> go{false};
};

}  // namespace

TEST_CASE("all who ask while a sync is under way share the next one", "[base][sync]") {
  SharedSync shared;
  Slow slow;
  const auto ask = [&] { return shared.run(std::ref(slow)).has_value(); };
  auto first = std::async(std::launch::async, ask);
  while (slow.begun == 0) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  constexpr int kOthers = 8;
  std::atomic<int> asking{0};
  std::vector<std::future<bool>> others;
  for (int i = 0; i < kOthers; ++i) {
    others.push_back(std::async(std::launch::async, [&] {
      ++asking;
      return ask();
    }));
  }
  while (asking < kOthers) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  std::this_thread::sleep_for(std::chrono::milliseconds(50));  // from there into the wait
  CHECK(slow.begun == 1);  // one at a time
  slow.go = true;
  CHECK(first.get());
  for (auto& other : others) CHECK(other.get());
  // one for those that had asked by then; a busy machine may have kept some of them from it, but not each by itself
  CHECK(slow.begun >= 2);
  CHECK(slow.begun < 1 + kOthers);
}

TEST_CASE("a sync that began before the call does not serve it", "[base][sync]") {
  SharedSync shared;
  int syncs = 0;
  const auto count = [&]() -> Result<void> {
    ++syncs;
    return {};
  };
  REQUIRE(shared.run(count));
  REQUIRE(shared.run(count));
  CHECK(syncs == 2);
}

TEST_CASE("a sync that has failed fails for everybody, until there is another way", "[base][sync]") {
  SharedSync shared;
  int syncs = 0;
  const auto good = [&]() -> Result<void> {
    ++syncs;
    return {};
  };
  REQUIRE(shared.run(good));
  CHECK_FALSE(shared.failure());
  const auto failed = shared.run([]() -> Result<void> { return Error{Code::kIo, "disk"}; });
  REQUIRE_FALSE(failed);
  CHECK(failed.error().message == "disk");
  const auto again = shared.run(good);
  REQUIRE_FALSE(again);
  CHECK(again.error().message == "disk");
  CHECK(syncs == 1);  // not tried
  REQUIRE(shared.failure());
  CHECK(shared.failure()->code == Code::kIo);
  shared.forget_failure();
  CHECK(shared.run(good));
  CHECK(syncs == 2);
}
