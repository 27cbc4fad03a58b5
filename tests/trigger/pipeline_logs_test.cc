// What jobs print, and who asks for it or follows it.
#include <catch2/catch.hpp>

#include <atomic>
#include <set>
#include <utility>

#include <boost/filesystem.hpp>

#include "trigger/upper.h"

using namespace pfs;
using namespace pfs::test;
using namespace pfs::trigger;
using worker::CommandEnd;
using worker::End;

TEST_CASE("what a job's commands print is kept, by job and by datum", "[trigger]") {
  Upper upper;
  REQUIRE(upper.fixture.pipelines().create(kUpperSpec, false, false));
  upper.commit("a", "aa");
  const JobInfo first = upper.job();
  upper.commit("b", "bb");
  upper.job();

  const auto texts = [&](const LogFilter& filter) {
    std::vector<std::string> found;
    must(upper.fixture.pipelines().logs(filter, [&](const LogLine& line) {
      if (line.user) found.push_back(line.text);
      return true;
    }));
    return found;
  };
  LogFilter of_pipeline;
  of_pipeline.pipeline = PipelineFixture::repo("upper");
  CHECK(texts(of_pipeline) == std::vector<std::string>{"made a", "made b"});
  LogFilter of_job;
  of_job.job = first.id;
  CHECK(texts(of_job) == std::vector<std::string>{"made a"});
  of_job.datum = std::string(64, '0');
  CHECK(texts(of_job).empty());
}

TEST_CASE("logs are asked for by the files of datums, as paths or data digests, and by who wrote them", "[trigger]") {
  Upper upper;
  REQUIRE(upper.fixture.pipelines().create(kUpperSpec, false, false));
  upper.commit("a", "aa");
  upper.job();
  upper.commit("b", "bb");
  const JobInfo second = upper.job();

  const auto texts = [&](const std::vector<std::string>& inputs, const std::optional<JobId>& job = std::nullopt) {
    std::vector<std::string> found;
    LogFilter filter;
    filter.pipeline = PipelineFixture::repo("upper");
    filter.job = job;
    filter.inputs = inputs;
    filter.user_only = true;
    must(upper.fixture.pipelines().logs(filter, [&](const LogLine& line) {
      CHECK(line.user);
      found.push_back(line.text);
      return true;
    }));
    return found;
  };
  using Lines = std::vector<std::string>;
  CHECK(texts({"/a"}) == Lines{"made a"});
  CHECK(texts({"b"}) == Lines{"made b"});
  CHECK(texts({"/a/below"}) == Lines{"made a"});
  CHECK(texts({"/ab"}).empty());
  CHECK(texts({"/a", "/b"}).empty());
  CHECK(texts({"/a"}, second.id).empty());  // it was skipped there
  CHECK(texts({}) == Lines{"made a", "made b"});
  // printf bb | sha256sum
  CHECK(texts({"3b64db95cb55c763391c707108489ae18b4112d783300de38e033b4c98c3deaf"}) == Lines{"made b"});

  // another input: the old jobs' datums are those of the version that they ran with
  REQUIRE(upper.fixture.pipelines().create(upper_with("/input/pfs/glob", R"("/b")"), true, false));
  upper.job();
  CHECK(texts({"/a"}) == Lines{"made a"});
  // another salt: they cannot be told any more
  REQUIRE(upper.fixture.pipelines().create(upper_with("/input/pfs/glob", R"("/b")"), true, true));
  upper.job();
  CHECK(texts({"/a"}).empty());
  LogFilter of_old;
  of_old.job = second.id;
  of_old.inputs = {"/b"};
  const auto refused = upper.fixture.pipelines().logs(of_old, [](const LogLine&) { return true; });
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == Code::kInvalid);
}

TEST_CASE("the last lines of a pipeline are found without the logs of jobs before them", "[trigger]") {
  Upper upper;
  REQUIRE(upper.fixture.pipelines().create(kUpperSpec, false, false));
  std::vector<JobInfo> jobs;
  for (const char* name : {"a", "b", "c"}) {
    upper.commit(name, name);
    jobs.push_back(upper.job());
  }
  // whoever reads this one fails
  const std::string oldest = upper.directory.path() + "/jobs/logs/upper/" + jobs.front().id.hex() + ".log";
  REQUIRE(boost::filesystem::remove(oldest));
  boost::filesystem::create_directory(oldest);
  std::vector<std::string> texts;
  LogFilter last;
  last.pipeline = PipelineFixture::repo("upper");
  last.tail = 2;
  const auto read = upper.fixture.pipelines().logs(last, [&](const LogLine& line) {
    texts.push_back(line.text);
    return true;
  });
  REQUIRE(read);
  CHECK(texts == std::vector<std::string>{"made b", "made c"});
  last.tail.reset();
  CHECK_FALSE(upper.fixture.pipelines().logs(last, [](const LogLine&) { return true; }));
}

TEST_CASE("the last lines of a job are told alone", "[trigger]") {
  Upper upper;
  REQUIRE(upper.fixture.pipelines().create(kUpperSpec, false, false));
  upper.behaviour = [&](const ProgramCall& call) {
    for (int i = 0; i < 5; ++i) call.print("line " + std::to_string(i) + "\n");
    return CommandEnd{};
  };
  upper.commit("a", "aa");
  LogFilter last;
  last.job = upper.job().id;
  const auto texts = [&](std::size_t tail) {
    last.tail = tail;
    std::vector<std::string> found;
    must(upper.fixture.pipelines().logs(last, [&](const LogLine& line) {
      found.push_back(line.text);
      return true;
    }));
    return found;
  };
  CHECK(texts(2) == std::vector<std::string>{"line 3", "line 4"});
  CHECK(texts(9).size() == 5);
  CHECK(texts(0).empty());
}

TEST_CASE("who follows a pipeline is told of its jobs as they come, and looks at none that had ended", "[trigger]") {
  Upper upper;
  REQUIRE(upper.fixture.pipelines().create(kUpperSpec, false, false));
  upper.commit("a", "aa");
  const JobInfo ended = upper.job();
  store::RefDb& refs = upper.fixture.store().refs();
  const auto row = must(refs.get(job_key(ended.id)));
  REQUIRE(row);
  const auto put_row = [&](const std::string& value) {
    store::RefTxn txn = begin_transaction();
    txn.put.push_back({job_key(ended.id), value});
    must(refs.commit(std::move(txn)));
  };
  std::vector<std::string> texts;
  LogFilter follow;
  follow.pipeline = PipelineFixture::repo("upper");
  int asked = 0;
  follow.follow_while = [&, patience = PipelineFixture::patience()] {
    ++asked;
    if (asked == 2) put_row("damaged");  // whoever reads this one fails
    if (asked == 4) {
      put_row(row->value);
      upper.commit("b", "bb");
    }
    return patience();
  };
  const auto followed = upper.fixture.pipelines().logs(follow, [&](const LogLine& line) {
    if (line.user) texts.push_back(line.text);
    if (line.text == "made b") upper.commit("c", "cc");
    return line.text != "made c";
  });
  REQUIRE(followed);
  CHECK(texts == std::vector<std::string>{"made a", "made b", "made c"});
}

TEST_CASE("who follows a pipeline is told of a job that is stopped before it has begun", "[trigger]") {
  Upper upper;
  std::atomic<bool> hangs{true};
  upper.behaviour = [&](const ProgramCall& call) {
    const auto patience = PipelineFixture::patience();
    while (hangs && !call.killed() && patience()) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    return CommandEnd{};
  };
  REQUIRE(upper.fixture.pipelines().create(kUpperSpec, false, false));
  upper.commit("a", "aa");
  upper.commit("b", "bb");
  const JobId queued = must(upper.fixture.pipelines().jobs(std::nullopt, 1)).at(0).id;
  LogFilter follow;
  SECTION("by its pipeline") { follow.pipeline = PipelineFixture::repo("upper"); }
  SECTION("by its id") { follow.job = queued; }
  bool stopped = false;
  follow.follow_while = [&, patience = PipelineFixture::patience()] {
    if (!std::exchange(stopped, true)) must(upper.fixture.pipelines().stop_job(queued));
    return patience();
  };
  std::string told;
  REQUIRE(upper.fixture.pipelines().logs(follow, [&](const LogLine& line) {
    if (line.job == queued.hex()) told = line.text;
    return told.empty();
  }));
  CHECK(told == "the job was killed: stopped by a user");
  hangs = false;
}

TEST_CASE("who follows a job that is stopped gets what its command had printed by its end", "[trigger]") {
  Upper upper;
  upper.behaviour = [&](const ProgramCall& call) {
    call.print("begun\nnot a whole line");
    const auto patience = PipelineFixture::patience();
    while (!call.killed() && patience()) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    return CommandEnd{};
  };
  REQUIRE(upper.fixture.pipelines().create(kUpperSpec, false, false));
  upper.commit("a", "aa");
  const JobId id = must(upper.fixture.pipelines().jobs(std::nullopt, 1)).at(0).id;
  std::vector<std::string> texts;
  LogFilter follow;
  SECTION("by its id") { follow.job = id; }
  SECTION("by its pipeline") { follow.pipeline = PipelineFixture::repo("upper"); }
  bool stopped = false;
  follow.follow_while = [&, patience = PipelineFixture::patience()] {
    if (!texts.empty() && !std::exchange(stopped, true)) must(upper.fixture.pipelines().stop_job(id));
    return patience();
  };
  REQUIRE(upper.fixture.pipelines().logs(follow, [&](const LogLine& line) {
    texts.push_back(line.text);
    return follow.job || line.text != "not a whole line";
  }));
  CHECK(texts == std::vector<std::string>{"begun", "the job was killed: stopped by a user", "not a whole line"});
}

TEST_CASE("who follows a pipeline is done when it is deleted, also where another one has got its name", "[trigger]") {
  Upper upper;
  REQUIRE(upper.fixture.pipelines().create(kUpperSpec, false, false));
  upper.commit("a", "aa");
  upper.job();
  bool made_anew = false;
  SECTION("deleted") {}
  SECTION("made anew") { made_anew = true; }
  std::vector<std::string> texts;
  LogFilter follow;
  follow.pipeline = PipelineFixture::repo("upper");
  int asked = 0;
  follow.follow_while = [&] {
    if (++asked == 2) {
      must(upper.fixture.pipelines().remove(*follow.pipeline));
      if (made_anew) {
        must(upper.fixture.pipelines().create(kUpperSpec, false, false));
        upper.job();
      }
    }
    return asked < 50;
  };
  REQUIRE(upper.fixture.pipelines().logs(follow, [&](const LogLine& line) {
    texts.push_back(line.text);
    return true;
  }));
  CHECK(asked < 50);
  CHECK(texts == std::vector<std::string>{"made a"});
}
