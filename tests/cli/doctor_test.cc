// What the doctor makes of files that say it.
#include <catch2/catch.hpp>

#include "cli/doctor_checks.h"

namespace pfs::cli {
namespace {

using Verdict = Finding::Verdict;

Finding judge(const std::string& text, Verdict when_missing = Verdict::kError) {
  return judge_subordinate_ids("/etc/subuid", text, "ann", 1000, when_missing);
}

TEST_CASE("a user has subordinate ids by name or number", "[cli][doctor]") {
  CHECK(judge("ann:100000:65536\n").verdict == Verdict::kOk);
  CHECK(judge("bob:100000:65536\n1000:165536:65536\n").verdict == Verdict::kOk);
  CHECK(judge("ann:100000:32768\nann:200000:32768\n").verdict == Verdict::kOk);
  CHECK(judge("ann:100000:1000\n").verdict == Verdict::kWarning);
  CHECK(judge("").verdict == Verdict::kError);
  CHECK(judge("anna:100000:65536\n# ann:1:65536\nann:100000:0\nann\n").verdict == Verdict::kError);
  CHECK(judge("", Verdict::kWarning).verdict == Verdict::kWarning);
}

TEST_CASE("who has no subordinate ids is told a range that nobody has", "[cli][doctor]") {
  CHECK_THAT(judge("").command, Catch::Contains("--add-subuids 100000-165535 ann "));
  CHECK_THAT(judge("bob:100000:65536\neve:231072:65536\njoe:165536:65536\n").command, Catch::Contains("--add-subuids 296608-362143 ann "));
  CHECK_THAT(judge_subordinate_ids("/etc/subgid", "", "ann", 1000, Verdict::kError).command, Catch::Contains("--add-subgids "));
}

}  // namespace
}  // namespace pfs::cli
