// Containers in which no command can be started any more, and engines that have trouble while err_cmd runs.
#include <catch2/catch.hpp>

#include <atomic>
#include <cerrno>
#include <set>
#include <string>

#include "base/sync.h"
#include "support/job_fixture.h"

using namespace pfs;
using namespace pfs::test;
using namespace pfs::trigger;
using worker::CommandEnd;
using worker::End;

namespace {

const CommandEnd kNoProgram{End::kNotStarted, ENOENT, "exec: \"work\": not found"};
const CommandEnd kSeven{End::kExited, 7, {}};

/// Containers, each told by its view.
class Containers {
 public:
  void add(const ProgramCall& call) PFS_EXCLUDES(mutex_) {
    Lock lock(mutex_);
    views_.insert(call.view_path);
  }
  bool has(const ProgramCall& call) const PFS_EXCLUDES(mutex_) {
    Lock lock(mutex_);
    return views_.contains(call.view_path);
  }
  std::size_t count() const PFS_EXCLUDES(mutex_) {
    Lock lock(mutex_);
    return views_.size();
  }

 private:
  mutable Mutex mutex_{LockRank::kLeaf};
  std::set<std::string> views_ PFS_GUARDED_BY(mutex_);
};

bool is_err_cmd(const ProgramCall& call) { return call.request.arguments.front() == "mend"; }

bool says(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

}  // namespace

TEST_CASE("a datum that damages its container costs the next one no try: it has a fresh one", "[trigger]") {
  Containers damaged;
  JobFixture jobs([&](const ProgramCall& call, const std::string& name) {
    if (damaged.has(call)) return kNoProgram;
    if (name == "a") damaged.add(call);
    jobs.put_out(call, name, name);
    return CommandEnd{};
  });
  jobs.create();  // datum_tries is 1
  jobs.commit({"a", "b", "c"});
  const JobInfo job = jobs.job();
  REQUIRE(job.state == JobState::kSuccess);
  CHECK(job.processed == 3);
  CHECK(jobs.fixture.runner().started() == 2);
  CHECK(jobs.fixture.read("work@master", "/c") == "c");
  const auto lines = jobs.log(job);
  REQUIRE(lines.size() == 1);
  CHECK(says(lines[0], "/b"));
  CHECK(says(lines[0], "in a fresh container"));
}

TEST_CASE("a datum that damages its container and fails has its err_cmd in a fresh one", "[trigger]") {
  Containers damaged;
  JobFixture jobs([&](const ProgramCall& call, const std::string& name) {
    if (damaged.has(call)) return kNoProgram;
    if (is_err_cmd(call) || name != "bad") return CommandEnd{};
    damaged.add(call);
    return kSeven;
  });
  jobs.create({{"/transform/err_cmd", R"(["mend"])"}});
  jobs.commit({"bad"});
  const JobInfo job = jobs.job();
  CHECK(job.state == JobState::kSuccess);
  CHECK(job.recovered == 1);
  CHECK(jobs.fixture.runner().started() == 2);
}

TEST_CASE("a command that cannot start in a fresh container either fails the job at once", "[trigger]") {
  Containers seen;
  JobFixture jobs([&](const ProgramCall& call, const std::string& name) {
    seen.add(call);
    return name == "a" ? CommandEnd{} : kNoProgram;
  });
  jobs.create({{"/datum_tries", "3"}});
  jobs.commit({"a", "b", "c"});
  const JobInfo job = jobs.job();
  CHECK(job.state == JobState::kFailure);
  CHECK(says(job.reason, "transform.cmd: exec: \"work\": not found in image image"));
  CHECK(job.failed == 1);
  CHECK(seen.count() == 2);
}

TEST_CASE("a working directory that a datum does not have in its view fails that datum, and blames no image", "[trigger]") {
  Containers seen;
  std::atomic<int> tries{0};
  JobFixture jobs([&](const ProgramCall& call, const std::string& name) {
    seen.add(call);
    if (name != "b") return CommandEnd{};
    ++tries;
    return CommandEnd{End::kNotStarted, ENOENT, "working directory /pfs/text/sub: No such file or directory"};
  });
  const bool in_view = GENERATE(true, false);
  jobs.create({{"/transform/working_dir", in_view ? R"("/pfs/text/sub")" : R"("/sub")"}, {"/datum_tries", "2"}});
  jobs.commit({"a", "b", "c"});
  const JobInfo job = jobs.job();
  CHECK(job.state == JobState::kFailure);
  CHECK(job.failed == 1);
  CHECK(says(job.reason, "transform.working_dir: working directory /pfs/text/sub"));
  CHECK(says(job.reason, "the image") == !in_view);
  CHECK(says(job.reason, "datum /b") == in_view);
  CHECK(job.processed == (in_view ? 2 : 1));
  CHECK(tries == 2);  // of the datum, or in another container
  CHECK(seen.count() == (in_view ? 1 : 2));
}

TEST_CASE("a program that a datum does not have in its view fails that datum, and blames no image", "[trigger]") {
  Containers seen;
  JobFixture jobs([&](const ProgramCall& call, const std::string& name) {
    seen.add(call);
    return name == "b" ? kNoProgram : CommandEnd{};
  });
  const bool below_working_dir = GENERATE(true, false);
  jobs.create({{"/transform/cmd", below_working_dir ? R"(["./run"])" : R"(["/pfs/text/run"])"},
               {"/transform/working_dir", R"("/pfs/text")"},
               {"/datum_tries", "2"}});
  jobs.commit({"a", "b", "c"});
  const JobInfo job = jobs.job();
  CHECK(job.state == JobState::kFailure);
  CHECK(job.failed == 1);
  CHECK(job.processed == 2);
  CHECK(says(job.reason, "datum /b: transform.cmd"));
  CHECK_FALSE(says(job.reason, "the image"));
  CHECK(seen.count() == 2);  // one fresh container, for what it needs of the image may have been missing
}

TEST_CASE("an err_cmd whose container dies is run again in another, and the datum is recovered", "[trigger]") {
  std::atomic<int> runs{0};
  std::atomic<int> mends{0};
  JobFixture jobs([&](const ProgramCall& call, const std::string&) {
    if (!is_err_cmd(call)) {
      ++runs;
      return kSeven;
    }
    if (++mends == 1) call.lose();
    return CommandEnd{};
  });
  jobs.create({{"/transform/err_cmd", R"(["mend"])"}});  // datum_tries is 1
  jobs.commit({"bad"});
  const JobInfo job = jobs.job();
  CHECK(job.state == JobState::kSuccess);
  CHECK(job.recovered == 1);
  CHECK(runs == 1);
  CHECK(mends == 2);
}

TEST_CASE("a datum for whose err_cmd no container can be started is tried again", "[trigger]") {
  std::atomic<int> runs{0};
  std::atomic<int> mends{0};
  JobFixture jobs([&](const ProgramCall& call, const std::string&) {
    if (is_err_cmd(call)) {
      ++mends;
      return CommandEnd{};
    }
    if (++runs == 1) {
      jobs.fixture.runner().refuse(1);
      call.lose();
    }
    return kSeven;
  });
  jobs.create({{"/transform/err_cmd", R"(["mend"])"}});  // datum_tries is 1
  jobs.commit({"bad"});
  const JobInfo job = jobs.job();
  CHECK(job.state == JobState::kSuccess);
  CHECK(job.recovered == 1);
  CHECK(job.failed == 0);
  CHECK(runs == 2);
  CHECK(mends == 1);
}

TEST_CASE("an err_cmd under which container after container dies does not go on for ever", "[trigger]") {
  std::atomic<int> mends{0};
  JobFixture jobs([&](const ProgramCall& call, const std::string&) {
    if (!is_err_cmd(call)) return kSeven;
    ++mends;
    call.lose();
    return CommandEnd{};
  });
  jobs.create({{"/transform/err_cmd", R"(["mend"])"}});
  jobs.commit({"bad"});
  const JobInfo job = jobs.job();
  CHECK(job.state == JobState::kFailure);
  CHECK(job.failed == 1);
  CHECK(mends == 3);
}
