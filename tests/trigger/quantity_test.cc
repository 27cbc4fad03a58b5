#include "trigger/internal/quantity.h"

#include <catch2/catch.hpp>

using namespace pfs;
using namespace pfs::trigger;
using namespace std::chrono_literals;

TEST_CASE("an amount is read as Kubernetes does", "[trigger]") {
  CHECK(parse_quantity("2").value() == 2.0);
  CHECK(parse_quantity("500m").value() == 0.5);
  CHECK(parse_quantity("64M").value() == 64e6);
  CHECK(parse_quantity("1.5Gi").value() == 1.5 * 1073741824);
  CHECK(parse_quantity("1e3").value() == 1000.0);
  CHECK(parse_quantity("1E").value() == 1e18);
  for (const char* text : {"", "M", "-1", "+1", "1 M", "1MB", "inf", "nan", "1e", "9e19", "10E", "1.2.3", "0x10"}) {
    CAPTURE(text);
    CHECK_FALSE(parse_quantity(text));
  }
}

TEST_CASE("an amount of bytes is written in its shortest form", "[trigger]") {
  CHECK(format_quantity(0) == "0");
  CHECK(format_quantity(64'000'000) == "64M");
  CHECK(format_quantity(1 << 30) == "1Gi");
  CHECK(format_quantity(1000) == "1k");
  CHECK(format_quantity(1001) == "1001");
}

TEST_CASE("a length of time is read and written as Go does", "[trigger]") {
  CHECK(parse_go_duration("0").value() == 0ns);
  CHECK(parse_go_duration("1h2m3s").value() == 3723s);
  CHECK(parse_go_duration("1.5h").value() == 90min);
  CHECK(parse_go_duration("100ms").value() == 100ms);
  CHECK(parse_go_duration("3600s").value() == 1h);
  for (const char* text : {"", "1", "1d", "h", "-1s", "1s2", "1..2s", "soon", "99999999h"}) {
    CAPTURE(text);
    CHECK_FALSE(parse_go_duration(text));
  }
  for (const char* text : {"0s", "1h30m", "1.5s", "0.1s", "36h", "1m0.000000001s"}) {
    CHECK(format_go_duration(parse_go_duration(text).value()) == text);
  }
}
