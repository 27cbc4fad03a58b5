// The steps of Pachyderm's deferred processing with transactions, and how many jobs each of them causes.

#include <catch2/catch.hpp>

#include "support/pipeline_fixture.h"
#include "support/temporary_directory.h"

using namespace pfs;
using namespace pfs::test;
using namespace pfs::trigger;
using nlohmann::json;
using worker::CommandEnd;

namespace {

BranchRef ref(const std::string& text) { return PipelineFixture::branch(text); }

/// images_dp_1 -> edges_dp (to dev); images_dp_2 x edges_dp@master -> montage_dp. edges_dp puts out a file for each picture.
struct Ladder {
  Ladder() : fixture(directory.path(), [this](const ProgramCall& call) { return run(call); }) {
    fixture.open();
    fixture.make_branch("images_dp_1@master");
    fixture.make_branch("images_dp_2@master");
    make(R"j({"pipeline": {"name": "edges_dp"}, "transform": {"image": "image", "cmd": ["edges"]}, "output_branch": "dev",
              "input": {"pfs": {"repo": "images_dp_1", "name": "images", "glob": "/*"}}})j");
    make(R"j({"pipeline": {"name": "montage_dp"}, "transform": {"image": "image", "cmd": ["sh"]}, "input": {"cross": [
              {"pfs": {"repo": "images_dp_2", "glob": "/"}}, {"pfs": {"repo": "edges_dp", "glob": "/"}}]}})j");
  }
  CommandEnd run(const ProgramCall& call) {
    auto& trees = fixture.store().trees();
    const auto view = fixture.view(call);
    const auto images = trees.lookup(view, "images");
    if (!images) return {};
    std::vector<std::string> names;
    must(trees.list(*images, {}, [&](const store::ListedEntry& entry) {
      names.push_back(entry.name);
      return true;
    }));
    for (const auto& name : names) fixture.write_file(must(trees.lookup(view, "out")), name, "edges of " + name);
    return {};
  }

  void make(const char* spec) { must(fixture.pipelines().create(spec, false, false)); }

  void put(const std::string& branch, const std::vector<std::string>& names) {
    for (const auto& name : names) fixture.write(branch, name, name);
    fixture.finish(branch);
  }
  /// `master` of edges_dp to where dev is.
  store::RefStep move_master() {
    store::CreateBranch step;
    step.ref = ref("edges_dp@master");
    step.head = must(CommitRef::parse("edges_dp@dev"));
    step.or_move = true;
    return step;
  }
  void transact(const std::vector<store::RefStep>& steps) { must(fixture.store().catalog().transact(steps)); }
  /// How a pipeline's jobs went, oldest first.
  std::vector<std::string> jobs(const std::string& pipeline) {
    std::vector<std::string> all;
    const auto found = must(fixture.pipelines().jobs(fixture.repo(pipeline), 100));
    for (auto job = found.rbegin(); job != found.rend(); ++job) {
      const JobInfo ended = must(fixture.pipelines().wait(job->id, PipelineFixture::patience()));
      all.push_back(std::to_string(ended.processed) + "+" + std::to_string(ended.skipped) + "/" + std::to_string(ended.total) + " " +
                    std::string(name_of(ended.state)));
    }
    return all;
  }

  TemporaryDirectory directory;
  PipelineFixture fixture;
};

using Jobs = std::vector<std::string>;

}  // namespace

TEST_CASE("each step of deferred processing causes the jobs that Pachyderm's does", "[trigger]") {
  Ladder ladder;
  ladder.put("images_dp_1@master", {"46Q8nDz"});
  ladder.put("images_dp_1@master", {"g2QnNqa", "8MN9Kg0"});
  ladder.put("images_dp_2@master", {"Togu2RY", "w7RVTsv"});
  Jobs edges{"1+0/1 success", "2+1/3 success"};
  Jobs montage{"0+0/0 success"};
  CHECK(ladder.jobs("edges_dp") == edges);
  CHECK(ladder.jobs("montage_dp") == montage);
  CHECK_FALSE(must(ladder.fixture.store().catalog().branch(ref("edges_dp@master"))).head);

  ladder.put("images_dp_1@master", {"1VqcWw9"});
  edges.push_back("1+3/4 success");
  CHECK(ladder.jobs("edges_dp") == edges);
  CHECK(ladder.jobs("montage_dp") == montage);

  ladder.transact({ladder.move_master()});
  montage.push_back("1+0/1 success");
  CHECK(ladder.jobs("montage_dp") == montage);

  ladder.put("images_dp_1@master", {"2GI70mb"});
  edges.push_back("1+4/5 success");
  CHECK(ladder.jobs("edges_dp") == edges);
  CHECK(ladder.jobs("montage_dp") == montage);

  ladder.transact({ladder.move_master()});
  montage.push_back("1+0/1 success");
  CHECK(ladder.jobs("montage_dp") == montage);

  ladder.put("images_dp_2@master", {"3Kr6Mr6"});
  montage.push_back("1+0/1 success");
  CHECK(ladder.jobs("montage_dp") == montage);

  ladder.put("images_dp_1@master", {"another"});
  edges.push_back("1+5/6 success");
  CHECK(ladder.jobs("edges_dp") == edges);
  ladder.transact({store::StartCommit{ref("images_dp_2@master"), ""}, ladder.move_master()});
  CHECK(ladder.jobs("montage_dp") == montage);
  ladder.fixture.write("images_dp_2@master", "9iIlokw", "9iIlokw");
  CHECK(ladder.jobs("montage_dp") == montage);
  ladder.fixture.finish("images_dp_2@master");
  montage.push_back("1+0/1 success");
  CHECK(ladder.jobs("montage_dp") == montage);
  CHECK(ladder.jobs("edges_dp") == edges);
}
