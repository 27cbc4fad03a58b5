#include "base/fault.h"

#include <catch2/catch.hpp>

#include <csignal>

#include "support/child.h"

namespace pfs {

using test::run_child;

TEST_CASE("a fault point does nothing unless it is named", "[base]") {
  CHECK(run_child({PFS_BASE_CHILD, "faults"}).status == 0);
  CHECK(run_child({PFS_BASE_CHILD, "faults"}, {"PFS_FAULT=test.other:fail"}).status == 0);
  CHECK(run_child({PFS_BASE_CHILD, "faults"}, {"PFS_FAULT=test.here"}).status == 0);
  CHECK(run_child({PFS_BASE_CHILD, "faults"}, {"PFS_FAULT="}).status == 0);
}

TEST_CASE("a fault point that is named fails in the pass that was asked for", "[base]") {
  CHECK(run_child({PFS_BASE_CHILD, "faults"}, {"PFS_FAULT=test.here:fail"}).status == 11);
  CHECK(run_child({PFS_BASE_CHILD, "faults"}, {"PFS_FAULT=test.here:nospace:2"}).status == 22);
  CHECK(run_child({PFS_BASE_CHILD, "faults"}, {"PFS_FAULT=test.here:fail:4"}).status == 0);
}

TEST_CASE("a fault point can kill", "[base]") {
  CHECK(run_child({PFS_BASE_CHILD, "faults"}, {"PFS_FAULT=test.here:kill:3"}).signal == SIGKILL);
}

}  // namespace pfs
