#include <catch2/catch.hpp>

#include <atomic>
#include <set>
#include <utility>

#include <boost/filesystem.hpp>

#include "support/pipeline_fixture.h"
#include "support/temporary_directory.h"

using namespace pfs;
using namespace pfs::test;
using namespace pfs::trigger;
using worker::CommandEnd;
using worker::End;

namespace {

const std::string kSpec = R"({
  "pipeline": {"name": "upper"},
  "transform": {"image": "image", "cmd": ["upper"], "env": {"GREETING": "hi"}},
  "input": {"pfs": {"repo": "text", "glob": "/*"}}
})";

std::string with(const std::string& field, const std::string& value) {
  auto json = nlohmann::json::parse(kSpec);
  json[nlohmann::json::json_pointer(field)] = nlohmann::json::parse(value);
  return json.dump();
}

/// A pipeline whose command writes each input file in upper case to /pfs/out, and remembers what it was asked for.
struct Upper {
  Upper() : fixture(directory.path(), [this](const ProgramCall& call) { return run(call); }) {
    fixture.open();
    fixture.make_branch("text@master");
  }

  CommandEnd run(const ProgramCall& call) {
    ++runs;
    last_environment = call.request.environment;
    if (behaviour) return behaviour(call);
    return copy(call);
  }

  CommandEnd copy(const ProgramCall& call) {
    auto& trees = fixture.store().trees();
    const auto view = fixture.view(call);
    const auto input = must(trees.lookup(view, "text"));
    std::vector<std::string> names;
    must(trees.list(input, {}, [&](const store::ListedEntry& entry) {
      names.push_back(entry.name);
      return true;
    }));
    for (const auto& name : names) {
      std::string text = fixture.read_node(must(trees.lookup(input, name)));
      for (char& c : text) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
      call.print("made " + name + "\n");
      fixture.write_file(must(trees.lookup(view, "out")), name, text);
    }
    return {};
  }

  void commit(const std::string& path, const std::string& text) {
    fixture.write("text@master", path, text);
    fixture.finish("text@master");
  }
  JobInfo job() { return fixture.newest_job("upper"); }
  std::size_t job_count() { return must(fixture.pipelines().jobs(std::nullopt, 100)).size(); }

  TemporaryDirectory directory;
  std::atomic<int> runs{0};
  std::vector<std::string> last_environment;
  std::function<CommandEnd(const ProgramCall&)> behaviour;
  PipelineFixture fixture;
};

}  // namespace

TEST_CASE("a finished commit causes one job, whose output is one commit with provenance", "[trigger]") {
  Upper upper;
  REQUIRE(upper.fixture.pipelines().create(kSpec, false, false));
  CHECK(upper.job_count() == 0);
  upper.commit("a", "aa");
  upper.commit("b", "bb");

  const JobInfo job = upper.job();
  CHECK(job.state == JobState::kSuccess);
  CHECK(job.reason.empty());
  CHECK(job.processed == 1);
  CHECK(job.skipped == 1);
  CHECK(job.total == 2);
  REQUIRE(job.inputs.size() == 1);
  CHECK(job.inputs.front().branch.str() == "text@master");
  CHECK(upper.job_count() == 2);
  CHECK(upper.runs == 2);
  CHECK(upper.fixture.read("upper@master", "/a") == "AA");
  CHECK(upper.fixture.read("upper@master", "/b") == "BB");

  const auto head = must(upper.fixture.store().catalog().resolve(must(CommitRef::parse("upper@master"))));
  CHECK(head.id == job.output_commit);
  CHECK(head.provenance == std::vector<store::Commit::Cause>{{job.inputs.front().branch, *job.inputs.front().commit}});
}

TEST_CASE("a pipeline made after its input's HEAD gets a job for it", "[trigger]") {
  Upper upper;
  upper.commit("a", "aa");
  REQUIRE(upper.fixture.pipelines().create(kSpec, false, false));
  CHECK(upper.job().state == JobState::kSuccess);
  CHECK(upper.job_count() == 1);
}

TEST_CASE("moving HEAD back is a job that skips every datum", "[trigger]") {
  Upper upper;
  REQUIRE(upper.fixture.pipelines().create(kSpec, false, false));
  upper.commit("a", "aa");
  upper.commit("a", "other");
  must(upper.fixture.store().catalog().retarget(PipelineFixture::branch("text@master"),
                                                must(CommitRef::parse("text@master^"))));
  const JobInfo job = upper.job();
  CHECK(job.skipped == 1);
  CHECK(job.processed == 0);
  CHECK(upper.job_count() == 3);
  CHECK(upper.runs == 2);
  CHECK(upper.fixture.read("upper@master", "/a") == "AA");
}

TEST_CASE("a datum's command knows its input, commit and job", "[trigger]") {
  Upper upper;
  REQUIRE(upper.fixture.pipelines().create(kSpec, false, false));
  upper.commit("a", "aa");
  const JobInfo job = upper.job();
  const std::set<std::string> seen(upper.last_environment.begin(), upper.last_environment.end());
  CHECK(seen.contains("text=/pfs/text/a"));
  CHECK(seen.contains("text_COMMIT=" + job.inputs.front().commit->hex()));
  CHECK(seen.contains("PACH_JOB_ID=" + job.id.hex()));
}

TEST_CASE("a failing datum is tried again, then fails the job and leaves HEAD alone", "[trigger]") {
  Upper upper;
  REQUIRE(upper.fixture.pipelines().create(kSpec, false, false));
  upper.commit("a", "aa");
  REQUIRE(upper.job().state == JobState::kSuccess);

  upper.runs = 0;
  upper.behaviour = [](const ProgramCall& call) {
    call.print("no good");
    return CommandEnd{End::kExited, 7, {}};
  };
  upper.commit("b", "bb");
  const JobInfo job = upper.job();
  CHECK(job.state == JobState::kFailure);
  CHECK(job.reason.find("/b") != std::string::npos);
  CHECK(job.reason.find("7") != std::string::npos);
  CHECK(job.failed == 1);
  CHECK(job.skipped == 1);
  CHECK(upper.runs == 3);
  CHECK_FALSE(job.output_commit);
  CHECK(must(upper.fixture.store().catalog().commits(PipelineFixture::repo("upper"), std::nullopt, 9)).size() == 1);
}

TEST_CASE("a command that is not in the image fails the job at once and says so", "[trigger]") {
  Upper upper;
  upper.behaviour = [](const ProgramCall&) { return CommandEnd{End::kNotStarted, 2, "exec: \"upper\": not found"}; };
  REQUIRE(upper.fixture.pipelines().create(kSpec, false, false));
  upper.commit("a", "aa");
  const JobInfo job = upper.job();
  CHECK(job.state == JobState::kFailure);
  CHECK(job.reason.find("exec: \"upper\": not found in image image") != std::string::npos);
  CHECK(upper.runs == 1);
}

TEST_CASE("an image that is not there is the pipeline's failure and its jobs'", "[trigger]") {
  Upper upper;
  REQUIRE(upper.fixture.pipelines().create(with("/transform/image", "\"missing\""), false, false));
  upper.commit("a", "aa");
  CHECK(upper.job().state == JobState::kFailure);
  const auto info = must(upper.fixture.pipelines().get(PipelineFixture::repo("upper")));
  CHECK(info.state == PipelineState::kFailure);
  CHECK(info.reason.find("missing") != std::string::npos);
}

TEST_CASE("return codes that the spec accepts are success", "[trigger]") {
  Upper upper;
  upper.behaviour = [](const ProgramCall&) { return CommandEnd{End::kExited, 3, {}}; };
  REQUIRE(upper.fixture.pipelines().create(with("/transform/accept_return_code", "[3]"), false, false));
  upper.commit("a", "aa");
  CHECK(upper.job().state == JobState::kSuccess);
}

TEST_CASE("a job waits, and says why, while nothing is mounted", "[trigger]") {
  Upper upper;
  upper.fixture.views().set_mounted(false);
  REQUIRE(upper.fixture.pipelines().create(kSpec, false, false));
  upper.commit("a", "aa");
  const auto patience = PipelineFixture::patience();
  const auto waits = [&] {
    const auto jobs = must(upper.fixture.pipelines().jobs(std::nullopt, 1));
    return jobs.front().reason.find("nothing is mounted") != std::string::npos;
  };
  while (!waits() && patience()) std::this_thread::yield();
  CHECK(waits());
  upper.fixture.views().set_mounted(true);
  CHECK(upper.job().state == JobState::kSuccess);
}

TEST_CASE("files of one path from several datums are joined in the order of the datums", "[trigger]") {
  Upper upper;
  upper.behaviour = [&](const ProgramCall& call) {
    auto& trees = upper.fixture.store().trees();
    const auto view = upper.fixture.view(call);
    const auto input = must(trees.lookup(view, "text"));
    must(trees.list(input, {}, [&](const store::ListedEntry& entry) {
      const auto out = must(trees.lookup(view, "out"));
      const auto sub = upper.fixture.make_directory(out, "sub");
      upper.fixture.write_file(sub, "all", entry.name + ";");
      upper.fixture.write_file(sub, "only-" + entry.name, entry.name);
      return false;
    }));
    return CommandEnd{};
  };
  REQUIRE(upper.fixture.pipelines().create(kSpec, false, false));
  upper.fixture.write("text@master", "a", "1");
  upper.fixture.write("text@master", "b", "2");
  upper.fixture.write("text@master", "c", "3");
  upper.fixture.finish("text@master");
  REQUIRE(upper.job().state == JobState::kSuccess);
  CHECK(upper.fixture.read("upper@master", "/sub/all") == "a;b;c;");
  CHECK(upper.fixture.read("upper@master", "/sub/only-b") == "b");
}

TEST_CASE("what is joined at one name of a hard link is not of its other names", "[trigger]") {
  Upper upper;
  upper.behaviour = [&](const ProgramCall& call) {
    auto& trees = upper.fixture.store().trees();
    const auto view = upper.fixture.view(call);
    const bool first = trees.lookup(must(trees.lookup(view, "text")), "a").has_value();
    const auto directory = upper.fixture.make_directory(must(trees.lookup(view, "out")), "d");
    upper.fixture.write_file(directory, "x", first ? "a" : "b");
    if (first) must(trees.link(must(trees.lookup(directory, "x")), directory, "y"));
    return CommandEnd{};
  };
  REQUIRE(upper.fixture.pipelines().create(kSpec, false, false));
  upper.fixture.write("text@master", "a", "1");
  upper.fixture.write("text@master", "b", "2");
  upper.fixture.finish("text@master");
  REQUIRE(upper.job().state == JobState::kSuccess);
  CHECK(upper.fixture.read("upper@master", "/d/x") == "ab");
  CHECK(upper.fixture.read("upper@master", "/d/y") == "a");
}

TEST_CASE("a link in the output to an input becomes that input; others stay links", "[trigger]") {
  Upper upper;
  upper.behaviour = [&](const ProgramCall& call) {
    auto& trees = upper.fixture.store().trees();
    const auto out = must(trees.lookup(upper.fixture.view(call), "out"));
    const auto link = [&](const char* name, const char* target) {
      store::MakeRequest request;
      request.kind = store::Kind::kSymlink;
      request.target = target;
      must(trees.make(out, name, request));
    };
    link("absolute", "/pfs/text/a");
    link("relative", "../text/./a");
    link("outside", "/etc/passwd");
    link("above", "../../pfs/text/a");
    link("dangling", "/pfs/text/none");
    link("within", "absolute");
    return CommandEnd{};
  };
  REQUIRE(upper.fixture.pipelines().create(kSpec, false, false));
  upper.commit("a", "input");
  REQUIRE(upper.job().state == JobState::kSuccess);
  CHECK(upper.fixture.read("upper@master", "/absolute") == "input");
  CHECK(upper.fixture.read("upper@master", "/relative") == "input");
  auto& trees = upper.fixture.store().trees();
  const auto commit = must(upper.fixture.store().catalog().resolve(must(CommitRef::parse("upper@master"))));
  const auto root = trees.root(must(trees.commit(commit)));
  for (const char* name : {"outside", "above", "dangling"}) {
    CHECK(trees.kind(must(trees.lookup(root, name))) == store::Kind::kSymlink);
  }
}

TEST_CASE("an unchanged spec is no change; an update skips what is done, unless it reprocesses", "[trigger]") {
  Upper upper;
  REQUIRE(upper.fixture.pipelines().create(kSpec, false, false));
  upper.commit("a", "aa");
  upper.job();
  CHECK(upper.fixture.pipelines().create(kSpec, false, false).error().code == Code::kExists);
  CHECK(must(upper.fixture.pipelines().create(kSpec, true, false)).version == 1);
  CHECK(upper.job_count() == 1);

  CHECK(must(upper.fixture.pipelines().create(with("/description", "\"new\""), true, false)).version == 2);
  CHECK(upper.job().skipped == 1);
  CHECK(upper.runs == 1);
  CHECK(must(upper.fixture.pipelines().create(kSpec, true, true)).version == 3);
  CHECK(upper.job().processed == 1);
  CHECK(upper.runs == 2);
  CHECK(upper.job_count() == 3);
}

TEST_CASE("a pipeline that cannot be is refused", "[trigger]") {
  Upper upper;
  auto& pipelines = upper.fixture.pipelines();
  CHECK(pipelines.create(with("/input/pfs/repo", "\"nowhere\""), false, false).error().code == Code::kNotFound);
  REQUIRE(pipelines.create(kSpec, false, false));
  REQUIRE(pipelines.create(with("/pipeline/name", "\"second\""), false, false));
  auto third = nlohmann::json::parse(kSpec);
  third["pipeline"]["name"] = "third";
  third["input"]["pfs"]["repo"] = "upper";
  REQUIRE(pipelines.create(third.dump(), false, false));
  CHECK(pipelines.create(with("/input/pfs/repo", "\"third\""), true, false).error().code == Code::kInvalid);
}

TEST_CASE("a branch that a pipeline reads or writes cannot be deleted before the pipeline", "[trigger]") {
  Upper upper;
  auto& catalog = upper.fixture.store().catalog();
  REQUIRE(upper.fixture.pipelines().create(kSpec, false, false));
  const auto input = PipelineFixture::branch("text@master");
  const auto output = PipelineFixture::branch("upper@master");
  CHECK(must(catalog.branch(output)).output_of == "upper");
  CHECK(catalog.delete_branch(input, true).error().code == Code::kBusy);
  CHECK(catalog.delete_branch(output, true).error().code == Code::kBusy);
  REQUIRE(upper.fixture.pipelines().remove(PipelineFixture::repo("upper")));
  CHECK(must(catalog.branch(output)).output_of.empty());
  CHECK(catalog.delete_branch(input, true));
  CHECK(upper.job_count() == 0);
}

TEST_CASE("a pipeline's output is the next one's input", "[trigger]") {
  Upper upper;
  REQUIRE(upper.fixture.pipelines().create(kSpec, false, false));
  auto next = nlohmann::json::parse(kSpec);
  next["pipeline"]["name"] = "next";
  next["input"]["pfs"] = {{"repo", "upper"}, {"name", "text"}, {"glob", "/"}};
  REQUIRE(upper.fixture.pipelines().create(next.dump(), false, false));
  upper.commit("a", "aa");
  upper.job();
  CHECK(upper.fixture.newest_job("next").state == JobState::kSuccess);
  CHECK(upper.fixture.read("next@master", "/a") == "AA");
}

TEST_CASE("what a job's commands print is kept, by job and by datum", "[trigger]") {
  Upper upper;
  REQUIRE(upper.fixture.pipelines().create(kSpec, false, false));
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
  REQUIRE(upper.fixture.pipelines().create(kSpec, false, false));
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
  REQUIRE(upper.fixture.pipelines().create(with("/input/pfs/glob", R"("/b")"), true, false));
  upper.job();
  CHECK(texts({"/a"}) == Lines{"made a"});
  // another salt: they cannot be told any more
  REQUIRE(upper.fixture.pipelines().create(with("/input/pfs/glob", R"("/b")"), true, true));
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
  REQUIRE(upper.fixture.pipelines().create(kSpec, false, false));
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
  REQUIRE(upper.fixture.pipelines().create(kSpec, false, false));
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
  REQUIRE(upper.fixture.pipelines().create(kSpec, false, false));
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
  REQUIRE(upper.fixture.pipelines().create(kSpec, false, false));
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
  REQUIRE(upper.fixture.pipelines().create(kSpec, false, false));
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
  REQUIRE(upper.fixture.pipelines().create(kSpec, false, false));
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
        must(upper.fixture.pipelines().create(kSpec, false, false));
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

TEST_CASE("a job that a stop interrupts goes on at the next start, and what it did counts as processed", "[trigger]") {
  Upper upper;
  std::atomic<bool> second_began{false};
  std::atomic<bool> let_go{false};
  upper.behaviour = [&](const ProgramCall& call) {
    if (upper.runs == 2) {
      second_began = true;
      while (!let_go) std::this_thread::yield();
    }
    return upper.copy(call);
  };
  REQUIRE(upper.fixture.pipelines().create(kSpec, false, false));
  upper.fixture.write("text@master", "a", "aa");
  upper.fixture.write("text@master", "b", "bb");
  upper.fixture.finish("text@master");
  while (!second_began) std::this_thread::yield();
  std::thread stopper([&] { upper.fixture.pipelines().stop(); });
  // the fake's program cannot be killed: it ends by itself once the link is gone
  std::this_thread::yield();
  let_go = true;
  stopper.join();
  const auto before = must(upper.fixture.pipelines().jobs(std::nullopt, 9));
  REQUIRE(before.size() == 1);
  upper.fixture.close();
  upper.fixture.open();

  const JobInfo job = upper.job();
  CHECK(job.id == before.front().id);
  CHECK(job.state == JobState::kSuccess);
  CHECK(job.processed == 2);
  CHECK(job.skipped == 0);
  CHECK(upper.job_count() == 1);
}

TEST_CASE("one container serves all datums and jobs of a pipeline", "[trigger]") {
  Upper upper;
  REQUIRE(upper.fixture.pipelines().create(kSpec, false, false));
  upper.commit("a", "aa");
  upper.commit("b", "bb");
  upper.job();
  CHECK(upper.fixture.runner().started() == 1);
}

TEST_CASE("a new version of a pipeline has containers of its own: its image may be another under the same name", "[trigger]") {
  Upper upper;
  REQUIRE(upper.fixture.pipelines().create(kSpec, false, false));
  upper.commit("a", "aa");
  upper.job();
  CHECK(upper.fixture.runner().started() == 1);
  REQUIRE(upper.fixture.pipelines().create(kSpec, /*update=*/true, /*reprocess=*/true));
  upper.job();
  CHECK(upper.fixture.runner().started() == 2);
}
