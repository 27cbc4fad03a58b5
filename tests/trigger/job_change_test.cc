// Jobs that look at what has changed, against jobs that look at everything. Prints its seed when it fails; PFS_SEED plays one again.

#include <catch2/catch.hpp>

#include <algorithm>
#include <random>
#include <sstream>

#include <fmt/format.h>

#include "support/pipeline_fixture.h"
#include "support/rounds.h"
#include "support/temporary_directory.h"
#include "trigger/internal/datum_change.h"
#include "trigger/internal/job_plan.h"

using namespace pfs;
using namespace pfs::test;
using namespace pfs::trigger;
using nlohmann::json;
using worker::CommandEnd;

namespace {

class Random {
 public:
  explicit Random(std::uint64_t seed) : engine_(seed) {}
  /// From 0 to below `end`.
  std::size_t below(std::size_t end) { return std::uniform_int_distribution<std::size_t>(0, end - 1)(engine_); }
  bool one_in(std::size_t times) { return below(times) == 0; }
  template <class T>
  const T& of(const std::vector<T>& all) {
    return all[below(all.size())];
  }

 private:
  std::mt19937_64 engine_;
};

/// Changes a branch as somebody would.
class Editor {
 public:
  explicit Editor(PipelineFixture& fixture) : fixture_(fixture) {}

  void write(const std::string& ref, const std::string& path, const std::string& text) {
    // a file in the way of a directory, or a directory in that of a file
    const auto where = must(RepoPath::parse(path));
    for (RepoPath at = where; !at.is_root(); at = at.parent()) remove_if(ref, at, at == where);
    fixture_.write(ref, path, text);
  }
  void remove(const std::string& ref, const std::string& path) { erase(ref, must(RepoPath::parse(path))); }

 private:
  void remove_if(const std::string& ref, const RepoPath& path, bool is_directory) {
    auto& trees = fixture_.store().trees();
    auto node = trees.walk(trees.root(must(trees.branch(PipelineFixture::branch(ref)))), path);
    if (node && (trees.kind(*node) == store::Kind::kDirectory) == is_directory) erase(ref, path);
  }
  void erase(const std::string& ref, const RepoPath& path) {
    auto& trees = fixture_.store().trees();
    auto parent = trees.walk(trees.root(must(trees.branch(PipelineFixture::branch(ref)))), path.parent());
    if (!parent || trees.kind(*parent) != store::Kind::kDirectory) return;
    const store::EntryPut nothing{*parent, path.name(), std::nullopt};
    must(trees.put_entries({&nothing, 1}, {}));
  }

  PipelineFixture& fixture_;
};

/// A command that does what its input files say: each line is a path to put out (a directory, where it ends with a slash).
CommandEnd put_out(PipelineFixture& fixture, const ProgramCall& call) {
  auto& trees = fixture.store().trees();
  const auto view = fixture.view(call);
  const auto out = must(trees.lookup(view, "out"));
  std::vector<std::pair<std::string, std::string>> files;
  must(trees.list(must(trees.lookup(view, "in")), {}, [&](const store::ListedEntry& entry) {
    files.emplace_back(entry.name, "");
    return true;
  }));
  for (auto& [name, text] : files) {
    std::istringstream lines(fixture.read_node(must(trees.walk(view, must(RepoPath::parse("in/" + name))))));
    for (std::string line; std::getline(lines, line);) {
      const bool directory = line.back() == '/';
      store::NodePtr at = out;
      const auto path = must(RepoPath::parse(line));
      const auto& parts = path.parts();
      for (std::size_t i = 0; i < parts.size(); ++i) {
        if (i + 1 == parts.size() && !directory) {
          fixture.write_file(at, parts[i], name + " put out " + line + "\n");
          break;
        }
        auto there = trees.lookup(at, parts[i]);
        at = there ? *there : fixture.make_directory(at, parts[i]);
      }
    }
  }
  return {};
}

/// What an input file says. `rarely`: how seldom it says something that meets another's output.
std::string orders(Random& random, const std::string& name, std::size_t rarely) {
  std::string text;
  for (std::size_t count = random.below(4); count > 0; --count) {
    if (random.one_in(rarely)) {
      text += random.of<std::string>({"all", "shared/all", "empty/", "shared/empty/"}) + "\n";
    } else {
      text += random.of<std::string>({"own-" + name, "shared/own-" + name, name + ".d/x", name + ".d/sub/y", "deep/in/" + name}) + "\n";
    }
  }
  return text;
}

std::string spec(const std::string& name, const char* reprocess) {
  return json{{"pipeline", {{"name", name}}},
              {"transform", {{"image", "image"}, {"cmd", {"put-out"}}}},
              {"input", {{"pfs", {{"repo", "in"}, {"glob", "/*"}}}}},
              {"reprocess_spec", reprocess}}
      .dump();
}

void play(std::uint64_t seed) {
  Random random(seed);
  INFO("PFS_SEED=" << seed);
  TemporaryDirectory directory;
  PipelineFixture* self = nullptr;
  PipelineFixture fixture(directory.path(), [&](const ProgramCall& call) { return put_out(*self, call); });
  self = &fixture;
  fixture.open();
  fixture.make_branch("in@master");
  must(fixture.pipelines().create(spec("change", "until_success"), false, false));
  must(fixture.pipelines().create(spec("whole", "every_job"), false, false));
  Editor editor(fixture);
  const std::size_t rarely = random.of<std::size_t>({2, 20, 1000});
  for (int step = 0; step < 12; ++step) {
    for (std::size_t changes = 1 + random.below(3); changes > 0; --changes) {
      const std::string name = fmt::format("f{}", random.below(8));
      if (random.one_in(4)) {
        editor.remove("in@master", name);
      } else {
        editor.write("in@master", name, orders(random, name, rarely));
      }
    }
    fixture.finish("in@master");
    const auto changed = must(fixture.pipelines().jobs(PipelineFixture::repo("change"), 1));
    if (changed.empty()) continue;
    const JobInfo fast = fixture.newest_job("change");
    const JobInfo slow = fixture.newest_job("whole");
    INFO("step " << step << ": " << fast.reason << slow.reason);
    CHECK(fast.state == slow.state);
    REQUIRE(fast.total == slow.total);
    if (fast.state != JobState::kSuccess) continue;
    CHECK(fast.processed + fast.skipped == fast.total);
    const auto a = must(fixture.store().catalog().resolve(must(CommitRef::parse("change@master"))));
    const auto b = must(fixture.store().catalog().resolve(must(CommitRef::parse("whole@master"))));
    REQUIRE(a.root.data_digest == b.root.data_digest);
    REQUIRE(a.root.totals == b.root.totals);
  }
}

std::vector<std::string> names_of(const std::vector<DatumMaker::Files>& tuples) {
  std::vector<std::string> names;
  for (const auto& files : tuples) {
    std::string name;
    for (const auto& file : files) name += file->input->name.str() + file->path.str() + "=" + file->entry.data_digest().hex() + " ";
    names.push_back(std::move(name));
  }
  std::sort(names.begin(), names.end());
  return names;
}

std::vector<std::string> without(const std::vector<std::string>& all, const std::vector<std::string>& those) {
  std::vector<std::string> rest;
  std::set_difference(all.begin(), all.end(), those.begin(), those.end(), std::back_inserter(rest));
  return rest;
}

json random_input(Random& random, std::size_t depth = 0) {
  static int number = 0;
  if (depth == 2 || !random.one_in(2)) {
    return {{"pfs",
             {{"repo", random.of<std::string>({"a", "b"})},
              {"name", fmt::format("n{}", ++number)},
              {"glob", random.of<std::string>({"/", "/*", "/*/*", "/**", "/d0", "/d0/*", "/d*/f{0,1}", "/**/f1", "/d1/**"})}}}};
  }
  json parts = json::array();
  for (std::size_t count = 1 + random.below(2); count > 0; --count) parts.push_back(random_input(random, depth + 1));
  return {{random.of<std::string>({"cross", "union"}), parts}};
}

void compare(std::uint64_t seed) {
  Random random(seed);
  INFO("PFS_SEED=" << seed);
  TemporaryDirectory directory;
  PipelineFixture fixture(directory.path(), [](const ProgramCall&) { return CommandEnd{}; });
  fixture.open(/*start=*/false);
  Editor editor(fixture);
  InputRoots before;
  for (const char* ref : {"a@master", "b@master"}) fixture.make_branch(ref);
  for (int step = 0; step < 15; ++step) {
    for (std::size_t changes = random.below(5); changes > 0; --changes) {
      const std::string ref = random.of<std::string>({"a@master", "b@master"});
      const std::string path = random.of<std::string>({"f0", "d0/f0", "d0/f1", "d1/f1", "d1/d0/f1", "d0", "d1/d0", "d1"});
      if (random.one_in(3)) {
        editor.remove(ref, path);
      } else {
        editor.write(ref, path, fmt::format("{}", random.below(3)));
      }
    }
    InputRoots after;
    for (const char* ref : {"a@master", "b@master"}) {
      fixture.finish(ref);
      const auto head = must(fixture.store().catalog().branch(PipelineFixture::branch(ref))).head;
      if (head) after[PipelineFixture::branch(ref)] = must(fixture.store().catalog().commit(*head)).root;
    }
    for (int i = 0; i < 6; ++i) {
      const json text = random_input(random);
      const Input input = must(read_input(text));
      const auto& reader = fixture.store().tree_reader();
      const auto change = must(find_change(reader, input, before, after));
      if (!change) continue;
      const auto old_tuples = names_of(must(list_tuples(reader, input, before)));
      const auto new_tuples = names_of(must(list_tuples(reader, input, after)));
      INFO("step " << step << " " << text.dump());
      CHECK(names_of(change->removed) == without(old_tuples, new_tuples));
      REQUIRE(names_of(change->added) == without(new_tuples, old_tuples));
    }
    before = after;
  }
}

}  // namespace

TEST_CASE("one changed file is one datum's work, however many there are", "[trigger]") {
  TemporaryDirectory directory;
  PipelineFixture* self = nullptr;
  PipelineFixture fixture(directory.path(), [&](const ProgramCall& call) { return put_out(*self, call); });
  self = &fixture;
  fixture.open();
  fixture.make_branch("in@master");
  must(fixture.pipelines().create(spec("change", "until_success"), false, false));
  for (int i = 0; i < 100; ++i) fixture.write("in@master", fmt::format("f{}", i), fmt::format("own-f{}\n", i));
  fixture.finish("in@master");
  REQUIRE(fixture.newest_job("change").state == JobState::kSuccess);
  fixture.write("in@master", "f7", "own-f7\nanother\n");
  const CommitId changed = fixture.finish("in@master");
  const JobInfo job = fixture.newest_job("change");
  CHECK(job.processed == 1);
  CHECK(job.skipped == 99);
  CHECK(fixture.read("change@master", "another") == "f7 put out another\n");

  const Ledger ledger(fixture.store().refs());
  const auto pipeline = must(ledger.pipeline(PipelineFixture::repo("change")))->record;
  const PipelineSpec parsed = must(parse_spec(pipeline.spec_json));
  const SystemClock clock;
  const DatumTable table(fixture.store().local(), clock, pipeline.name, pipeline.salt);
  const JobPlanner planner(fixture.store(), ledger, table, pipeline, parsed);
  const auto record = must(ledger.job(job.id))->record;
  const InputRoots roots{{PipelineFixture::branch("in@master"), must(fixture.store().catalog().commit(changed)).root}};
  const JobPlan plan = must(planner.plan(record, roots));
  REQUIRE(plan.base);
  CHECK(plan.base->removed.size() == 1);
  REQUIRE(plan.datums.size() == 1);
  CHECK(plan.datums.front().label() == "/f7");
  CHECK(plan.kept == 99);
}

TEST_CASE("a change of a cross is not told where a part may have the same file twice", "[trigger]") {
  TemporaryDirectory directory;
  PipelineFixture fixture(directory.path(), [](const ProgramCall&) { return CommandEnd{}; });
  fixture.open(/*start=*/false);
  InputRoots before;
  InputRoots after;
  for (InputRoots* roots : {&before, &after}) {
    for (const char* ref : {"a@master", "b@master"}) {
      if (roots == &before) fixture.make_branch(ref);
      fixture.write(ref, "f", roots == &after && ref[0] == 'b' ? "2" : "1");
      const CommitId commit = fixture.finish(ref);
      (*roots)[PipelineFixture::branch(ref)] = must(fixture.store().catalog().commit(commit)).root;
    }
  }
  const Input input = must(read_input(json::parse(R"j({"cross": [
      {"union": [{"pfs": {"repo": "a", "glob": "/*"}}, {"pfs": {"repo": "a", "glob": "/f"}}]},
      {"pfs": {"repo": "b", "glob": "/*"}}]})j")));
  CHECK_FALSE(must(find_change(fixture.store().tree_reader(), input, before, after)));
}

TEST_CASE("a change below a path that is too long for one is found by looking at everything", "[trigger]") {
  TemporaryDirectory directory;
  PipelineFixture fixture(directory.path(), [](const ProgramCall&) { return CommandEnd{}; });
  fixture.open(/*start=*/false);
  fixture.make_branch("in@master");
  const BranchRef in = PipelineFixture::branch("in@master");
  auto& trees = fixture.store().trees();
  store::NodePtr deepest = trees.root(must(trees.branch(in)));
  for (int i = 0; i < 17; ++i) deepest = fixture.make_directory(deepest, std::string(255, 'd'));
  InputRoots before;
  InputRoots after;
  for (InputRoots* roots : {&before, &after}) {
    fixture.write_file(deepest, "f", roots == &before ? "1" : "2");
    (*roots)[in] = must(fixture.store().catalog().commit(fixture.finish("in@master"))).root;
  }
  const Input input = must(read_input(json::parse(R"j({"pfs": {"repo": "in", "glob": "/*"}})j")));
  const auto& reader = fixture.store().tree_reader();
  CHECK_FALSE(must(find_change(reader, input, before, after)));
  CHECK(must(list_tuples(reader, input, after)).size() == 1);
}

TEST_CASE("what has changed between two states of an input is what listing both says", "[trigger][property]") {
  const std::uint64_t seed = seed_of_run();
  for (int round = 0; round < rounds(6, 200); ++round) compare(seed + static_cast<std::uint64_t>(round));
}

TEST_CASE("a job that builds on the one before puts out what a job that begins anew does", "[trigger][property]") {
  const std::uint64_t seed = seed_of_run();
  for (int round = 0; round < rounds(5, 200); ++round) play(seed + static_cast<std::uint64_t>(round));
}
