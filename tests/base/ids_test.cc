#include "base/ids.h"

#include <catch2/catch.hpp>

#include <type_traits>
#include <unordered_set>

namespace pfs {
namespace {

struct AppleTag;
struct PearTag;
using Apples = Id<AppleTag>;
using Pears = Id<PearTag>;

static_assert(!std::is_convertible_v<Apples, Pears>);
static_assert(!std::is_constructible_v<Apples, Pears>);
static_assert(!std::is_convertible_v<std::uint64_t, Apples>);
static_assert(!std::is_convertible_v<Digest, CommitId>);
static_assert(!std::is_convertible_v<JobId, CommitId>);

}  // namespace

TEST_CASE("numbers of one meaning compare, and zero is false", "[base]") {
  CHECK(Apples(1) < Apples(2));
  CHECK(Apples(2) == Apples(2));
  CHECK_FALSE(Apples());
  CHECK(Apples(1));
  CHECK(std::unordered_set<Apples>{Apples(1), Apples(1), Apples(2)}.size() == 2);
}

TEST_CASE("an id reads back from its hex digits", "[base]") {
  const auto id = new_commit_id();
  REQUIRE(id);
  CHECK(id.hex().size() == 32);
  CHECK(CommitId::from_hex(id.hex()).value() == id);
  CHECK(CommitId::from_bytes(id.bytes()) == id);
  CHECK(new_commit_id() != id);
}

TEST_CASE("an id of all zeros names nothing", "[base]") {
  CHECK_FALSE(CommitId());
  CHECK_FALSE(CommitId::from_hex(std::string(32, '0')).value());
}

TEST_CASE("hex is of the exact length and in lower case", "[base]") {
  CHECK(CommitId::from_hex("").error().code == Code::kInvalid);
  CHECK(CommitId::from_hex(std::string(31, 'a')).error().code == Code::kInvalid);
  CHECK(CommitId::from_hex(std::string(33, 'a')).error().code == Code::kInvalid);
  CHECK(CommitId::from_hex(std::string(32, 'A')).error().code == Code::kInvalid);
  CHECK(CommitId::from_hex(std::string(32, 'g')).error().code == Code::kInvalid);
  CHECK(bytes_from_hex("00ff10").value() == std::string("\x00\xff\x10", 3));
  CHECK(to_hex(std::string_view("\x00\xff\x10", 3)) == "00ff10");
}

}  // namespace pfs
