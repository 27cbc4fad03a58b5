#include "cli/commands.h"

#include <catch2/catch.hpp>

namespace pfs::cli {
namespace {

TEST_CASE("every kind of error has an exit status, and only an interrupted run has 130",
          "[cli][commands]") {
  for (int number = 0; number <= static_cast<int>(Code::kInternal); ++number) {
    const auto code = static_cast<Code>(number);
    CHECK(exit_status(code) == (code == Code::kCancelled ? 130 : 1));
  }
}

}  // namespace
}  // namespace pfs::cli
