#include <catch2/catch.hpp>

#include <unistd.h>

#include <string>

#include "base/process_name.h"

namespace pfs::test {
namespace {

TEST_CASE("a process is called by its number and its command, while it is there", "[base]") {
  CHECK(name_of_process(getpid()) == std::to_string(getpid()) + " (base_test)");
  CHECK(name_of_process(0x7fffffff) == "2147483647");
}

}  // namespace
}  // namespace pfs::test
