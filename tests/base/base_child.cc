// Usage: base_child ranks-rise | ranks-fall | bug | faults: does one thing, in a process that it may cost its life.

#include <cstdio>
#include <string_view>

#include "base/bug.h"
#include "base/fault.h"
#include "base/sync.h"

namespace pfs {

static int take(LockRank first, LockRank second) {
  Mutex outer(first);
  Mutex inner(second);
  Lock hold_outer(outer);
  Lock hold_inner(inner);
  return 0;
}

static Result<void> pass() {
  PFS_FAULT_POINT("test.elsewhere");
  PFS_FAULT_POINT("test.here");
  return {};
}

/// Passes the fault points three times; the status tells in which pass which code came back.
static int faults() {
  for (int round = 1; round <= 3; ++round) {
    if (const auto result = pass(); !result) return 10 * round + (result.error().code == Code::kNoSpace ? 2 : 1);
  }
  return 0;
}

}  // namespace pfs

int main(int, char** argv) {
  const std::string_view what = argv[1];
  if (what == "ranks-rise") return pfs::take(pfs::LockRank::kDirectory, pfs::LockRank::kLeaf);
  if (what == "ranks-fall") return pfs::take(pfs::LockRank::kLeaf, pfs::LockRank::kDirectory);
  if (what == "ranks-same") return pfs::take(pfs::LockRank::kFile, pfs::LockRank::kFile);
  if (what == "bug") return PFS_BUG("a test's").code == pfs::Code::kInternal ? 0 : 1;
  if (what == "faults") return pfs::faults();
  return 2;
}
