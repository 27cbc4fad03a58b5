#include "store/branch_trigger.h"

#include <catch2/catch.hpp>

#include "store/refs/records.h"

namespace pfs::store {
namespace {

BranchTrigger on(const std::string& branch) {
  BranchTrigger trigger;
  trigger.branch = *BranchName::parse(branch);
  return trigger;
}

std::uint64_t bytes_of(const std::string& text) {
  const auto size = parse_size(text);
  REQUIRE(size);
  return *size;
}

TEST_CASE("a trigger is shown as pachctl's users know it", "[store][trigger]") {
  auto trigger = on("staging");
  trigger.cron = "@daily";
  trigger.size = "1MB";
  trigger.commits = 7;
  CHECK(trigger.str() == "staging on Cron(@daily) or Size(1MB) or Commits(7)");
  trigger.all = true;
  CHECK(trigger.str() == "staging on Cron(@daily) and Size(1MB) and Commits(7)");
}

TEST_CASE("sizes are decimal, or binary with an i", "[store][trigger]") {
  CHECK(bytes_of("512") == 512U);
  CHECK(bytes_of("1MB") == 1'000'000U);
  CHECK(bytes_of("1.5kb") == 1'500U);
  CHECK(bytes_of("1GiB") == std::uint64_t{1} << 30U);
  CHECK(bytes_of("2K") == 2'000U);
  CHECK_FALSE(parse_size(""));
  CHECK_FALSE(parse_size("MB"));
  CHECK_FALSE(parse_size("-1MB"));
  CHECK_FALSE(parse_size("1XB"));
  CHECK_FALSE(parse_size("99999999999TB"));
}

TEST_CASE("a schedule that cannot be one is refused", "[store][trigger]") {
  for (const auto* good : {"@daily", "@every 90s", "* * * * *", "*/5 0-6,12 1 JAN mon-fri", "0 0 ? * 7"}) CHECK(check_cron(good));
  for (const auto* bad : {"", "@never", "@every", "@every 10ms", "* * * *", "60 * * * *", "* 5-2 * * *", "*/0 * * * *", "a * * * *", "* * * * * *"}) {
    INFO(bad);
    CHECK_FALSE(check_cron(bad));
  }
}

TEST_CASE("a trigger has a condition", "[store][trigger]") {
  auto trigger = on("staging");
  CHECK(trigger.check().error().code == Code::kInvalid);
  trigger.commits = 1;
  CHECK(trigger.check());
  trigger.size = "big";
  CHECK(trigger.check().error().code == Code::kInvalid);
}

TEST_CASE("a branch's provenance and trigger are kept with it", "[store][trigger]") {
  Branch branch;
  branch.ref = *BranchRef::parse("data@master");
  branch.trigger = on("staging");
  branch.trigger->cron = "@hourly";
  branch.trigger->all = true;
  auto decoded = decode_branch(encode(branch));
  REQUIRE(decoded);
  CHECK(decoded->trigger == branch.trigger);
  branch.trigger.reset();
  branch.provenance = {*BranchRef::parse("a@x"), *BranchRef::parse("b@y")};
  branch.policy.when = CommitWhen::kManual;
  decoded = decode_branch(encode(branch));
  REQUIRE(decoded);
  CHECK(decoded->provenance == branch.provenance);
  CHECK(decoded->policy == branch.policy);
}

}  // namespace
}  // namespace pfs::store
