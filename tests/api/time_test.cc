#include "api/wire/time.h"

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

}  // namespace
}  // namespace pfs::api
