// Specs that become pipelines, and pipelines that are stopped or go. What their jobs do is in pipelines_test.cc.

#include <catch2/catch.hpp>

#include <atomic>
#include <iterator>

#include <boost/filesystem.hpp>
#include <nlohmann/json.hpp>

#include "support/pipeline_fixture.h"
#include "support/temporary_directory.h"
#include "trigger/internal/datum_table.h"
#include "trigger/internal/spec_plan.h"

using namespace pfs;
using namespace pfs::test;
using namespace pfs::trigger;

namespace {

std::string spec(const std::string& name, const std::string& reads, const std::string& more = "{}") {
  auto json = nlohmann::json{{"pipeline", {{"name", name}}},
                             {"transform", {{"image", "image"}, {"cmd", {"true"}}}},
                             {"input", {{"pfs", {{"repo", reads}, {"glob", "/*"}}}}}};
  json.merge_patch(nlohmann::json::parse(more));
  return json.dump();
}

/// Pipelines whose commands do nothing, over a repo `text`.
struct Idle {
  Idle() : fixture(directory.path(), [this](const ProgramCall&) { ++runs; return worker::CommandEnd{}; }) {
    fixture.open();
    fixture.make_branch("text@master");
  }

  PipelineService& pipelines() { return fixture.pipelines(); }
  Result<std::vector<SpecPlan>> apply(const std::vector<std::string>& specs, const ApplyOptions& options = {}) {
    std::vector<SpecText> texts;
    for (const auto& one : specs) texts.push_back({"file, document " + std::to_string(texts.size() + 1), one});
    return pipelines().apply(texts, options);
  }
  bool has_repo(const std::string& name) {
    return fixture.store().catalog().repo(PipelineFixture::repo(name)).has_value();
  }
  void commit(const std::string& path) {
    fixture.write("text@master", path, path);
    fixture.finish("text@master");
  }
  std::size_t job_count(const std::string& name) {
    return must(pipelines().jobs(PipelineFixture::repo(name), 100)).size();
  }

  TemporaryDirectory directory;
  std::atomic<int> runs{0};
  PipelineFixture fixture;
};

bool says(const Error& error, const std::string& text) {
  INFO(error.message);
  const bool found = error.message.find(text) != std::string::npos;
  CHECK(found);
  return found;
}

}  // namespace

TEST_CASE("a secret is not mounted where no container could start", "[trigger]") {
  const auto read = [](const std::vector<std::string>& paths) {
    nlohmann::json transform{{"transform", {{"secrets", nlohmann::json::array()}}}};
    for (const auto& path : paths) transform["transform"]["secrets"].push_back({{"name", "s"}, {"mount_path", path}});
    return read_specs(std::vector<SpecText>{{"", spec("a", "text", transform.dump())}});
  };
  const std::vector<std::vector<std::string>> bad = {
      {"/.pfs-worker"}, {"/.pfs-worker/link"}, {"//.pfs-worker/"}, {"/etc/../pfs"}, {"/.."}, {"/./"},   {"//pfs//x"},
      {"/proc"},        {"/proc/1"},           {"/dev/"},          {"/sys/x"},      {"/a", "/b", "/a"}, {"/a", "/a//./"},
      {"/a", "/a/b"},   {"/a/b", "/a"}};
  for (const auto& paths : bad) {
    INFO(paths.front() << " " << paths.back());
    const auto refused = read(paths);
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == Code::kInvalid);
    CHECK(says(refused.error(), "transform.secrets["));
    CHECK(says(refused.error(), "mount_path"));
  }
  const auto good = must(read({"//etc/./a/", "/etc/ab", "/.pfs-workers"}));
  CHECK(good.front().spec.transform.secrets.front().mount_path == "/etc/a");
}

TEST_CASE("specs that read one another are applied in any order", "[trigger]") {
  Idle idle;
  const auto plans = must(idle.apply({spec("b", "a"), spec("a", "text")}));
  REQUIRE(plans.size() == 2);
  CHECK(plans[0].outcome == SpecOutcome::kCreated);
  CHECK(plans[1].name.str() == "a");
  CHECK(must(idle.pipelines().list()).size() == 2);
  idle.commit("f");
  REQUIRE(idle.fixture.newest_job("a").state == JobState::kSuccess);
  CHECK(idle.fixture.newest_job("b").state == JobState::kSuccess);
}

TEST_CASE("of specs of which one is refused none is applied, and the error says which", "[trigger]") {
  Idle idle;
  const auto refused = idle.apply({spec("a", "text"), spec("b", "nowhere")});
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == Code::kNotFound);
  says(refused.error(), "file, document 2: pipeline spec: input.pfs.repo: no such repo 'nowhere'");
  CHECK(must(idle.pipelines().list()).empty());
  CHECK_FALSE(idle.has_repo("a"));

  const auto nested = idle.apply({spec("a", "text", R"({"input": {"pfs": null, "cross": [
      {"pfs": {"repo": "text", "glob": "/*"}},
      {"union": [{"pfs": {"repo": "text", "name": "again", "glob": "/*"}}, {"pfs": {"repo": "nowhere", "glob": "/*"}}]}]}})")});
  REQUIRE_FALSE(nested);
  says(nested.error(), "pipeline spec: input.cross[1].union[1].pfs.repo: no such repo 'nowhere'");

  const auto twice = idle.apply({spec("a", "text"), spec("a", "text")});
  REQUIRE_FALSE(twice);
  says(twice.error(), "document 2: pipeline spec: pipeline.name: 'a' is there twice, also in file, document 1");
  CHECK(idle.apply({spec("a", "text"), "{"}).error().code == Code::kInvalid);
  CHECK(must(idle.pipelines().list()).empty());
}

TEST_CASE("a new pipeline's name begins with a letter or a digit, a repo's need not", "[trigger]") {
  Idle idle;
  for (const std::string name : {"-a", "_a"}) {
    const auto refused = idle.apply({spec(name, "text")});
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == Code::kInvalid);
    says(refused.error(), "pipeline spec: pipeline.name: '" + name + "' begins with '" + name.front() + "'");
    CHECK_FALSE(idle.has_repo(name));
  }
  idle.fixture.make_branch("_raw@master");
  CHECK(idle.apply({spec("a_b", "_raw"), spec("0", "text")}));
}

TEST_CASE("a cycle among specs and pipelines is refused with its members", "[trigger]") {
  Idle idle;
  const auto among = idle.apply({spec("a", "b"), spec("b", "a")});
  REQUIRE_FALSE(among);
  CHECK(among.error().code == Code::kInvalid);
  says(among.error(), "input: a reads b@master, which is made from its own output a@master (by b)");
  REQUIRE(idle.apply({spec("a", "text"), spec("b", "a"), spec("c", "b")}));
  const auto with_those = idle.apply({spec("a", "c")});
  REQUIRE_FALSE(with_those);
  says(with_those.error(), "(by b, c)");
  // another branch of an output repo is nobody's output
  CHECK(idle.apply({spec("a", "text"), spec("b", "a", R"({"output_branch": "dev"})")}));
  CHECK(idle.apply({spec("a", "b")}));
}

TEST_CASE("a spec that is the same in other words is no change", "[trigger]") {
  Idle idle;
  REQUIRE(idle.apply({spec("a", "text", R"({"resource_limits": {"memory": "64M"}})")}));
  const auto same = must(idle.apply({spec("a", "text", R"({"resource_limits": {"memory": 64000000}, "datum_tries": "3",
      "output_branch": "master", "standby": false, "description": ""})")}));
  CHECK(same.front().outcome == SpecOutcome::kUnchanged);
  CHECK(same.front().version == 1);
  CHECK(must(idle.pipelines().get(PipelineFixture::repo("a"))).version == 1);

  const auto other = must(idle.apply({spec("a", "text", R"({"datum_tries": 5})")}));
  CHECK(other.front().outcome == SpecOutcome::kUpdated);
  CHECK(other.front().version == 2);
  CHECK(other.front().changes ==
        std::vector<std::string>{"datum_tries: 3 -> 5", R"(resource_limits: {"memory":"64M"} -> (none))"});
  CHECK(must(idle.apply({spec("a", "text", R"({"datum_tries": 5})")}, {true, true})).front().reprocess);
}

TEST_CASE("what a pipeline's versions were is known for as long as it is there", "[trigger]") {
  Idle idle;
  const auto name = PipelineFixture::repo("a");
  must(idle.apply({spec("a", "text", R"({"description": "one"})")}));
  idle.commit("f");
  const JobInfo first = idle.fixture.newest_job("a");
  must(idle.apply({spec("a", "text", R"({"description": "two", "datum_tries": 1})")}));
  must(idle.pipelines().set_stopped(name, true));  // no version
  must(idle.apply({spec("a", "text", R"({"description": "three"})")}));
  const auto earlier = must(idle.pipelines().earlier_versions(name, 10));
  REQUIRE(earlier.size() == 2);
  CHECK(earlier[0].version == 2);
  CHECK(earlier[0].description == "two");
  CHECK(earlier[1].version == 1);
  CHECK(earlier[1].input == "text:/*");
  CHECK(earlier[1].last_job == JobState::kSuccess);
  CHECK_FALSE(earlier[1].state);
  CHECK(earlier[1].created < earlier[0].created);
  CHECK(must(idle.pipelines().earlier_versions(name, 1)).size() == 1);
  CHECK(must(idle.pipelines().job(first.id)).spec_json == earlier[1].spec_json);
  CHECK(idle.pipelines().earlier_versions(PipelineFixture::repo("none"), 1).error().code == Code::kNotFound);

  must(idle.pipelines().remove(name));
  must(idle.apply({spec("a", "text", R"({"description": "new"})")}));
  CHECK(must(idle.pipelines().earlier_versions(name, 10)).empty());
}

TEST_CASE("a dry run tells what would be done, and does nothing", "[trigger]") {
  Idle idle;
  REQUIRE(idle.apply({spec("a", "text")}));
  ApplyOptions dry;
  dry.dry_run = true;
  const auto plans = must(idle.apply({spec("a", "text", R"({"cache_size": "1G"})"), spec("b", "a")}, dry));
  CHECK(plans[0].outcome == SpecOutcome::kUnchanged);
  REQUIRE(plans[0].notes.size() == 2);
  CHECK(plans[0].notes[0] == "cache_size has no effect: there is no sidecar with a cache");
  CHECK(plans[0].notes[1].starts_with("transform.image: 'image' has no tag: what runs may change without the spec changing"));
  CHECK(plans[1].outcome == SpecOutcome::kCreated);
  CHECK_FALSE(idle.has_repo("b"));
  CHECK(must(idle.pipelines().list()).size() == 1);
}

TEST_CASE("an update may write another branch, and the old one is anybody's again", "[trigger]") {
  Idle idle;
  REQUIRE(idle.apply({spec("a", "text")}));
  REQUIRE(idle.apply({spec("a", "text", R"({"output_branch": "dev"})")}));
  auto& catalog = idle.fixture.store().catalog();
  CHECK(must(catalog.branch(PipelineFixture::branch("a@master"))).output_of.empty());
  CHECK(must(catalog.branch(PipelineFixture::branch("a@dev"))).output_of == "a");
}

TEST_CASE("a branch with changes that are not committed becomes nobody's output", "[trigger]") {
  Idle idle;
  idle.fixture.make_branch("a@master");
  idle.fixture.write("a@master", "f", "mine");
  const auto changed = idle.apply({spec("a", "text")});
  REQUIRE_FALSE(changed);
  CHECK(changed.error().code == Code::kBusy);
  says(changed.error(), "a@master");
  says(changed.error(), "pfs finish commit a@master");
  CHECK(must(idle.pipelines().list()).empty());

  idle.fixture.finish("a@master");
  must(idle.fixture.store().catalog().start_commit(PipelineFixture::branch("a@master"), ""));
  const auto by_hand = idle.apply({spec("a", "text")});
  REQUIRE_FALSE(by_hand);
  CHECK(by_hand.error().code == Code::kBusy);
  says(by_hand.error(), "opened by hand");

  idle.fixture.finish("a@master");
  CHECK(idle.apply({spec("a", "text")}));
  CHECK(idle.fixture.read("a@master", "f") == "mine");
}

TEST_CASE("a pipeline that cannot be read is shown as failing, and goes; the others run", "[trigger]") {
  Idle idle;
  const auto a = PipelineFixture::repo("a");
  REQUIRE(idle.apply({spec("a", "text"), spec("b", "text"), spec("c", "a")}));
  const bool whole = GENERATE(false, true);
  auto& refs = idle.fixture.store().refs();
  store::RefTxn txn = begin_transaction();
  auto record = must(Ledger(refs).pipeline(a))->record;
  record.spec_json = R"({"of": "a later version"})";
  txn.put.push_back({pipeline_key(a), whole ? "\xff nothing of ours" : encode(record)});
  must(refs.commit(std::move(txn)));
  idle.fixture.close();
  REQUIRE_NOTHROW(idle.fixture.open());

  idle.commit("f");
  CHECK(idle.fixture.newest_job("b").state == JobState::kSuccess);
  const auto listed = must(idle.pipelines().list());
  REQUIRE(listed.size() == 3);
  const auto broken = must(idle.pipelines().get(a));
  CHECK(broken.state == PipelineState::kFailure);
  INFO(broken.reason);
  CHECK(broken.reason.find(whole ? "a pipeline's record" : "of: no such field") != std::string::npos);
  CHECK(must(idle.fixture.store().catalog().branch(PipelineFixture::branch("a@master"))).output_of == "a");
  CHECK(idle.fixture.store().catalog().delete_branch(PipelineFixture::branch("a@master"), true).error().code == Code::kBusy);

  const bool mend = GENERATE(false, true);
  if (mend) {
    CHECK(must(idle.apply({spec("a", "text")})).front().outcome == SpecOutcome::kUpdated);
    CHECK(idle.fixture.newest_job("a").state == JobState::kSuccess);
    return;
  }
  const RepoName both[] = {a, PipelineFixture::repo("c")};
  REQUIRE(idle.pipelines().remove(both, {/*force=*/false, /*keep_repo=*/false}));
  CHECK_FALSE(idle.has_repo("a"));
  REQUIRE(idle.pipelines().remove(PipelineFixture::repo("b")));
  CHECK(idle.fixture.store().catalog().delete_branch(PipelineFixture::branch("text@master"), true));
}

TEST_CASE("what datums of a salt that no pipeline has have put out is forgotten at the start", "[trigger]") {
  Idle idle;
  REQUIRE(idle.apply({spec("a", "text")}));
  idle.commit("f");
  REQUIRE(idle.fixture.newest_job("a").processed == 1);
  const SystemClock clock;
  const auto name = PipelineFixture::repo("a");
  const Digest id = store::empty_subtree().root;
  const auto old_rows = [&] { return DatumTable(idle.fixture.store().local(), clock, name, "an old one"); };
  DatumTable rows = old_rows();
  must(rows.put(id, DatumRecord{}));
  must(rows.put_miss(JobId(), id, {Miss::kFailed, {}}));
  must(rows.flush());
  idle.fixture.close();
  idle.fixture.open();
  CHECK_FALSE(must(old_rows().find(id)));
  CHECK_FALSE(must(old_rows().find_miss(JobId(), id)));
  must(idle.pipelines().run(name, {}));
  CHECK(idle.fixture.newest_job("a").skipped == 1);
}

TEST_CASE("a stopped pipeline runs nothing, and what it missed is one job once it is started", "[trigger]") {
  Idle idle;
  const auto name = PipelineFixture::repo("a");
  REQUIRE(idle.apply({spec("a", "text")}));
  idle.commit("one");
  CHECK(idle.fixture.newest_job("a").state == JobState::kSuccess);
  REQUIRE(idle.pipelines().set_stopped(name, true));
  REQUIRE(idle.pipelines().set_stopped(name, true));
  CHECK(must(idle.pipelines().get(name)).state == PipelineState::kPaused);
  idle.commit("two");
  idle.commit("three");
  REQUIRE(idle.apply({spec("a", "text", R"({"description": "updated"})")}));
  CHECK(must(idle.pipelines().get(name)).stopped);
  CHECK(idle.job_count("a") == 1);
  CHECK(idle.runs == 1);

  idle.fixture.close();
  idle.fixture.open();
  CHECK(idle.job_count("a") == 1);
  REQUIRE(idle.pipelines().set_stopped(name, false));
  CHECK(idle.fixture.newest_job("a").processed == 2);
  CHECK(idle.job_count("a") == 2);
  const auto info = must(idle.pipelines().get(name));
  CHECK_FALSE(info.stopped);
  CHECK(info.job_counts == std::map<JobState, std::uint64_t>{{JobState::kSuccess, 2}});
  CHECK(idle.pipelines().set_stopped(PipelineFixture::repo("b"), true).error().code == Code::kNotFound);
}

TEST_CASE("a pipeline goes with its output repo, or without it, unless others read it", "[trigger]") {
  Idle idle;
  const auto a = PipelineFixture::repo("a");
  const auto b = PipelineFixture::repo("b");
  REQUIRE(idle.apply({spec("a", "text"), spec("b", "a")}));
  idle.commit("one");
  idle.fixture.newest_job("a");
  idle.fixture.newest_job("b");

  const auto refused = idle.pipelines().remove({&a, 1}, {/*force=*/false, /*keep_repo=*/false});
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == Code::kBusy);
  says(refused.error(), "read by pipeline b");
  CHECK(must(idle.pipelines().list()).size() == 2);

  REQUIRE(idle.pipelines().remove({&a, 1}, {/*force=*/false, /*keep_repo=*/true}));
  CHECK(idle.has_repo("a"));
  REQUIRE(idle.apply({spec("a", "text")}));
  const std::vector<RepoName> both{a, b};
  REQUIRE(idle.pipelines().remove(both, {/*force=*/false, /*keep_repo=*/false}));
  CHECK(must(idle.pipelines().list()).empty());
  CHECK_FALSE(idle.has_repo("a"));
  CHECK_FALSE(idle.has_repo("b"));
  CHECK(idle.fixture.store().catalog().delete_branch(PipelineFixture::branch("text@master"), true));
}

TEST_CASE("a pipeline that is not there is not deleted, and nobody works for it afterwards", "[trigger]") {
  Idle idle;
  must(idle.apply({spec("a", "text")}));
  idle.commit("f");
  idle.fixture.newest_job("a");
  const auto threads = [] {
    using boost::filesystem::directory_iterator;
    return std::distance(directory_iterator("/proc/self/task"), directory_iterator());
  };
  const auto before = threads();
  for (int i = 0; i < 20; ++i) {
    const auto refused = idle.pipelines().remove(PipelineFixture::repo("none" + std::to_string(i)));
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == Code::kNotFound);
  }
  CHECK(threads() < before + 20);
  idle.commit("g");
  CHECK(idle.fixture.newest_job("a").state == JobState::kSuccess);
}

TEST_CASE("a dry run counts the datums of the inputs as they are, and those that are done", "[trigger]") {
  Idle idle;
  REQUIRE(idle.apply({spec("a", "text")}));
  idle.commit("one");
  idle.fixture.newest_job("a");
  idle.fixture.write("text@master", "two", "two");
  REQUIRE(idle.pipelines().set_stopped(PipelineFixture::repo("a"), true));
  idle.fixture.finish("text@master");
  ApplyOptions dry;
  dry.dry_run = true;
  const auto plans = must(idle.apply({spec("a", "text"), spec("b", "a")}, dry));
  REQUIRE(plans[0].datums);
  CHECK(plans[0].datums->total == 2);
  CHECK(plans[0].datums->done == 1);
  CHECK(plans[0].datums->first == std::vector<std::string>{"/one", "/two"});
  REQUIRE(plans[1].datums);
  CHECK(plans[1].datums->done == 0);
  dry.reprocess = true;
  CHECK(must(idle.apply({spec("a", "text")}, dry)).front().datums->done == 0);
}

TEST_CASE("a job is caused by hand, of HEAD or of an older commit, and its readers get theirs", "[trigger]") {
  Idle idle;
  const auto name = PipelineFixture::repo("a");
  const auto text = PipelineFixture::branch("text@master");
  REQUIRE(idle.apply({spec("a", "text"), spec("b", "a")}));
  CHECK(idle.pipelines().run(name, {}).error().code == Code::kInvalid);
  idle.commit("one");
  idle.commit("two");
  REQUIRE(idle.fixture.newest_job("a").total == 2);
  idle.fixture.newest_job("b");
  const auto before = idle.job_count("b");

  const JobId again = must(idle.pipelines().run(name, {}));
  CHECK(idle.fixture.newest_job("a").id == again);
  CHECK(idle.fixture.newest_job("a").skipped == 2);
  CHECK(idle.job_count("b") == before + 1);

  const JobId older = must(idle.pipelines().run(name, {{text, must(CommitRef::parse("text@master^"))}}));
  CHECK(idle.fixture.newest_job("a").id == older);
  CHECK(idle.fixture.newest_job("a").total == 1);
  idle.fixture.newest_job("b");

  const auto other = must(CommitRef::parse("a@master"));
  CHECK(idle.pipelines().run(name, {{text, other}}).error().code == Code::kInvalid);
  CHECK(idle.pipelines().run(name, {{PipelineFixture::branch("a@master"), other}}).error().code == Code::kInvalid);
  REQUIRE(idle.pipelines().set_stopped(name, true));
  CHECK(idle.pipelines().run(name, {}).error().code == Code::kBusy);
  CHECK(idle.pipelines().run(PipelineFixture::repo("none"), {}).error().code == Code::kNotFound);
  const auto jobs = idle.job_count("a");
  REQUIRE(idle.pipelines().set_stopped(name, false));
  CHECK(idle.job_count("a") == jobs);  // HEAD is not what was run last, but nobody has moved it
}
