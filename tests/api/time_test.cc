#include "api/wire/time.h"

#include <limits>

#include <catch2/catch.hpp>

namespace pfs::api {
namespace {

TEST_CASE("a time survives the wire, before 1970 too", "[api][time]") {
  for (const std::int64_t nanoseconds :
       {std::int64_t{0}, std::int64_t{1}, std::int64_t{-1}, std::int64_t{1769851800'123456789},
        std::int64_t{-1'500'000'000}}) {
    google::protobuf::Timestamp wire;
    set_time(&wire, Timestamp{nanoseconds});
    CHECK(wire.nanos() >= 0);
    CHECK(time_of(wire) == Timestamp{nanoseconds});
  }
}

TEST_CASE("a time that no clock shows becomes the nearest one", "[api][time]") {
  google::protobuf::Timestamp wire;
  wire.set_seconds(std::numeric_limits<std::int64_t>::max());
  wire.set_nanos(std::numeric_limits<std::int32_t>::max());
  CHECK(time_of(wire).nanoseconds > 9'223'372'000'000'000'000);
  wire.set_seconds(std::numeric_limits<std::int64_t>::min());
  wire.set_nanos(std::numeric_limits<std::int32_t>::min());
  CHECK(time_of(wire).nanoseconds < -9'223'372'000'000'000'000);
}

}  // namespace
}  // namespace pfs::api
