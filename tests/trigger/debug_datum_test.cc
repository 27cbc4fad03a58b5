// A person in a datum's place: how the datum is named, and what the shell is told.
#include <catch2/catch.hpp>

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "base/sync.h"
#include "support/job_fixture.h"

using namespace pfs;
using namespace pfs::test;
using namespace pfs::trigger;
using worker::CommandEnd;
using worker::End;

namespace {

using Words = std::vector<std::string>;

/// The words that a shell in a datum's place would be run with.
Result<Words> shell_for(JobFixture& jobs, const JobId& id, const std::string& datum) {
  Words words;
  const auto ready = [&words](const Words& told) {
    words = told;
    return false;
  };
  PFS_TRY(jobs.fixture.pipelines().debug_datum(id, datum, ready, [] { return true; }));
  return words;
}

bool has_word(const Words& words, const std::string& word) { return std::find(words.begin(), words.end(), word) != words.end(); }

CommandEnd ends_well(const ProgramCall&, const std::string&) { return {}; }

std::string output_commit_in(const Words& words) {
  constexpr std::string_view kName = "PACH_OUTPUT_COMMIT_ID=";
  for (const std::string& word : words) {
    if (word.starts_with(kName)) return word.substr(kName.size());
  }
  return "not there";
}

}  // namespace

TEST_CASE("a person names a datum of several files by one of them, as it is shown, where no other datum has it", "[trigger]") {
  JobFixture jobs(ends_well);
  jobs.fixture.make_branch("more@master");
  jobs.fixture.write("more@master", "x", "x");
  jobs.fixture.finish("more@master");
  for (const char* name : {"a", "b"}) jobs.fixture.write("text@master", name, name);
  const std::string commit = jobs.fixture.finish("text@master").hex();
  jobs.create({{"/input", R"({"cross": [{"pfs": {"repo": "text", "glob": "/*"}}, {"pfs": {"repo": "more", "glob": "/*"}}]})"}});
  const JobId id = jobs.job().id;

  for (const std::string& name : {std::string("/b"), std::string("b"), std::string("text:/b"), "text@" + commit + ":/b",
                                  std::string("text:/b, more:/x")}) {
    CAPTURE(name);
    const Words words = must(shell_for(jobs, id, name));
    CHECK(has_word(words, "text=/pfs/text/b"));
    CHECK(has_word(words, "more=/pfs/more/x"));
  }
  const auto several = shell_for(jobs, id, "/x");
  REQUIRE_FALSE(several);
  CHECK(several.error().code == Code::kInvalid);
  CHECK(several.error().message.find("/x names 2 datums") != std::string::npos);
  CHECK(shell_for(jobs, id, "more:/b").error().code == Code::kNotFound);
  CHECK(shell_for(jobs, id, "text@" + std::string(32, '0') + ":/b").error().code == Code::kNotFound);
}

TEST_CASE("a datum whose path is not UTF-8 is found, and its shell refused, as nothing could tell it that path", "[trigger]") {
  JobFixture jobs(ends_well);
  jobs.create();
  jobs.commit({"f\xff", "\xc3\xa9"});
  const JobId id = jobs.job().id;
  for (const char* name : {"/f\xff", "/f\\xff"}) {
    const auto refused = shell_for(jobs, id, name);
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == Code::kUnsupported);
    CHECK(refused.error().message.find("text=/pfs/text/f\\xff is not UTF-8") != std::string::npos);
  }
  CHECK(has_word(must(shell_for(jobs, id, "/\xc3\xa9")), "text=/pfs/text/\xc3\xa9"));
}

TEST_CASE("a person's shell is told the output commit of the job, or the one that the job would have had", "[trigger]") {
  Mutex mutex{LockRank::kLeaf};
  std::string given;
  JobFixture jobs([&](const ProgramCall& call, const std::string& name) {
    Lock lock(mutex);
    given = output_commit_in(call.request.environment);
    return name == "bad" ? CommandEnd{End::kExited, 1, {}} : CommandEnd{};
  });
  jobs.create();
  const bool fails = GENERATE(true, false);
  jobs.commit({fails ? "bad" : "good"});
  const JobInfo job = jobs.job();
  REQUIRE(job.state == (fails ? JobState::kFailure : JobState::kSuccess));
  const std::string told = output_commit_in(must(shell_for(jobs, job.id, fails ? "/bad" : "/good")));
  Lock lock(mutex);
  CHECK(told == given);
  if (!fails) CHECK(told == job.output_commit->hex());
}
