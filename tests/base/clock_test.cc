#include "base/clock.h"

#include <catch2/catch.hpp>

namespace pfs {

TEST_CASE("a time is whole seconds and a positive fraction, before 1970 too", "[base]") {
  constexpr std::int64_t kSecond = 1'000'000'000;
  CHECK(Timestamp{0}.seconds() == 0);
  CHECK(Timestamp{kSecond + 5}.seconds() == 1);
  CHECK(Timestamp{kSecond + 5}.fraction() == 5);
  CHECK(Timestamp{-1}.seconds() == -1);
  CHECK(Timestamp{-1}.fraction() == 999'999'999);
  CHECK(Timestamp{-kSecond}.seconds() == -1);
  CHECK(Timestamp{-kSecond}.fraction() == 0);
  CHECK(Timestamp{-kSecond - 1}.seconds() == -2);
}

TEST_CASE("the system's clock does not run backwards", "[base]") {
  const SystemClock clock;
  const auto first = clock.steady();
  CHECK(clock.steady() >= first);
  CHECK(clock.now() > Timestamp{});
}

}  // namespace pfs
