#include "base/result.h"

#include <catch2/catch.hpp>

#include <memory>
#include <string>

namespace pfs {
namespace {

Error refusal() { return Error{Code::kBusy, "branch data@dev: in use"}; }

Result<int> half(int number) {
  if (number % 2 != 0) return refusal();
  return number / 2;
}

Result<int> quarter(int number) {
  PFS_TRY_ASSIGN(const int once, half(number));
  PFS_TRY_ASSIGN(const int twice, half(once));
  return twice;
}

Result<void> check(int number) {
  PFS_TRY(half(number));
  return {};
}

struct Base {
  virtual ~Base() = default;
};
struct Derived : Base {};

}  // namespace

TEST_CASE("a result is a value or an error", "[base]") {
  const auto good = half(4);
  REQUIRE(good);
  CHECK(*good == 2);
  CHECK(good.value_or(7) == 2);

  const auto bad = half(3);
  REQUIRE_FALSE(bad);
  CHECK(bad.error().code == Code::kBusy);
  CHECK(bad.value_or(7) == 7);
}

TEST_CASE("an error goes to the caller through PFS_TRY, a value goes on", "[base]") {
  CHECK(quarter(8).value() == 2);
  CHECK(quarter(7).error().code == Code::kBusy);
  CHECK(quarter(6).error().code == Code::kBusy);
  CHECK(check(2));
  CHECK_FALSE(check(1));
}

TEST_CASE("and_then goes on with a value only", "[base]") {
  CHECK(half(8).and_then(half).value() == 2);
  int calls = 0;
  const auto count = [&](int number) -> Result<std::string> {
    ++calls;
    return std::to_string(number);
  };
  CHECK(half(8).and_then(count).value() == "4");
  CHECK_FALSE(half(7).and_then(count));
  CHECK(calls == 1);
}

TEST_CASE("a result carries what can only be moved, and pointers to a base", "[base]") {
  Result<std::unique_ptr<int>> owned = std::make_unique<int>(7);
  const std::unique_ptr<int> taken = std::move(owned).value();
  CHECK(*taken == 7);

  const Result<std::shared_ptr<Base>> base = std::make_shared<Derived>();
  REQUIRE(base);
  CHECK(*base != nullptr);
}

}  // namespace pfs
