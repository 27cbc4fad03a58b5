#include "api/wire/code.h"

#include <vector>

#include <catch2/catch.hpp>

namespace pfs::api {
namespace {

std::vector<Code> all_codes() {
  std::vector<Code> codes;
  for (int number = 0; number <= static_cast<int>(Code::kInternal); ++number)
    codes.push_back(static_cast<Code>(number));
  return codes;
}

TEST_CASE("every kind of error survives the wire by its name", "[api][code]") {
  for (const auto code : all_codes()) CHECK(code_named(name_of(code)) == code);
  CHECK_FALSE(code_named("of a newer version"));
  CHECK_FALSE(code_named(""));
}

TEST_CASE("no kind of error is taken for success or for gRPC's own unknown", "[api][code]") {
  for (const auto code : all_codes()) {
    CHECK(to_grpc(code) != grpc::StatusCode::OK);
    CHECK(to_grpc(code) != grpc::StatusCode::UNKNOWN);
  }
}

TEST_CASE("a status without a name becomes an error that maps to the same status", "[api][code]") {
  for (const auto code : all_codes()) {
    const auto status = to_grpc(code);
    if (status == grpc::StatusCode::RESOURCE_EXHAUSTED)
      continue;  // from gRPC itself it is about a message's size
    CHECK(to_grpc(from_grpc(status)) == status);
  }
}

}  // namespace
}  // namespace pfs::api
