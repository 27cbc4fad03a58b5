#include "trigger/internal/leftover_sweep.h"

#include <atomic>
#include <memory>

#include <catch2/catch.hpp>

#include "support/job_fixture.h"

using namespace pfs;
using namespace pfs::test;
using namespace pfs::trigger;

namespace {

/// A start that was killed, and the next one, whose sweep does not take its time.
struct TwoStarts {
  TwoStarts() { must(killed.put_own()); }

  void sweep() {
    sweeping = std::make_unique<LeftoverSweep>(
        records,
        LeftoverSweep::Engine{[this](const std::string& start) {
                                ++looks;
                                return start == killed.own() && asked;
                              },
                              [this](const std::string& start) -> Result<void> {
                                ++sweeps;
                                if (fails) return Error{Code::kUnavailable, "no podman"};
                                if (start == killed.own()) containers = late.exchange(0);
                                return {};
                              }},
        SweepPace{std::chrono::milliseconds(1), std::chrono::milliseconds(20)});
  }
  bool has_record() const { return !records.earlier().empty(); }

  TemporaryDirectory directory;
  StartRecords killed{directory / "starts"};
  StartRecords records{directory / "starts"};
  std::atomic<bool> asked{false};  ///< a process of the killed start goes on
  std::atomic<bool> fails{false};
  std::atomic<int> containers{0};   ///< of the killed start
  std::atomic<int> late{0};         ///< of those, what comes to be right after a sweep
  std::atomic<int> looks{0};
  std::atomic<int> sweeps{0};
  std::unique_ptr<LeftoverSweep> sweeping;  ///< last: it calls for the others
};

}  // namespace

TEST_CASE("a start is recorded until all that it has made is gone", "[trigger]") {
  TwoStarts starts;
  CHECK(starts.has_record());
  CHECK(starts.killed.earlier().empty());
  must(starts.records.put_own());
  must(starts.records.put_own());
  CHECK(starts.records.earlier() == std::vector<std::string>{starts.killed.own()});
  starts.records.remove(starts.killed.own());
  starts.records.remove(starts.killed.own());
  CHECK_FALSE(starts.has_record());
}

TEST_CASE("a container is removed that is made while a process of an earlier start goes on", "[trigger]") {
  TwoStarts starts;
  starts.asked = true;
  starts.sweep();
  REQUIRE(JobFixture::until([&] { return starts.looks >= 3; }));
  CHECK(starts.sweeps == 0);
  CHECK(starts.has_record());
  starts.containers = 1;
  starts.asked = false;
  CHECK(JobFixture::until([&] { return !starts.has_record(); }));
  CHECK(starts.containers == 0);
  CHECK(starts.sweeps >= 2);  // an engine's daemon may be slower than the process that asked it
}

TEST_CASE("a container is removed that is made after the first sweep, though no process is seen", "[trigger]") {
  TwoStarts starts;
  starts.late = 1;
  starts.sweep();
  CHECK(JobFixture::until([&] { return !starts.has_record(); }));
  CHECK(starts.late == 0);
  CHECK(starts.containers == 0);
}

TEST_CASE("a start whose containers cannot be removed is not forgotten", "[trigger]") {
  TwoStarts starts;
  starts.fails = true;
  starts.sweep();
  REQUIRE(JobFixture::until([&] { return starts.sweeps >= 2; }));
  CHECK(starts.has_record());
  SECTION("and is tried again") {
    starts.fails = false;
    CHECK(JobFixture::until([&] { return !starts.has_record(); }));
  }
  SECTION("and is for the next start to do") {
    starts.sweeping.reset();
    CHECK(starts.has_record());
  }
}

TEST_CASE("nothing is asked where no earlier start has left anything", "[trigger]") {
  TwoStarts starts;
  starts.records.remove(starts.killed.own());
  must(starts.records.put_own());
  starts.sweep();
  starts.sweeping.reset();
  CHECK(starts.looks == 0);
  CHECK(starts.sweeps == 0);
}
