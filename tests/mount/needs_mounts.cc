#include <cstdio>
#include <cstdlib>

#include "support/mounted.h"

namespace {

// Before Catch2 starts: ctest shows a test that exits with 77 as skipped.
[[maybe_unused]] const bool can_mount = [] {
  const std::string reason = pfs::test::Mounted::why_not();
  if (!reason.empty()) {
    std::fprintf(stderr, "skipped: %s\n", reason.c_str());
    std::_Exit(77);
  }
  return true;
}();

}  // namespace
