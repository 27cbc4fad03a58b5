// Makes a pipeline over three files, or goes on with one, until its newest job has ended: job_victim DIRECTORY.
// Killed at a fault point (PFS_FAULT) and started again by job_killed_test.cc.

#include <cstdio>
#include <exception>

#include <spdlog/spdlog.h>

#include "support/pipeline_fixture.h"

namespace {

using namespace pfs;
using namespace pfs::test;

int run(const std::string& directory) {
  PipelineFixture* fixture_ptr = nullptr;
  PipelineFixture fixture(directory, [&](const ProgramCall& call) {
    auto& trees = fixture_ptr->store().trees();
    const auto view = fixture_ptr->view(call);
    must(trees.list(must(trees.lookup(view, "text")), {}, [&](const store::ListedEntry& entry) {
      fixture_ptr->write_file(must(trees.lookup(view, "out")), entry.name, "made from " + entry.name);
      return true;
    }));
    return trigger::worker::CommandEnd{};
  });
  fixture_ptr = &fixture;
  fixture.open();
  auto made = fixture.store().catalog().create_branch(PipelineFixture::branch("text@master"), std::nullopt, true);
  if (!made && made.error().code != Code::kExists) must(Result<void>(made.error()));
  must(fixture.pipelines().create(R"({
    "pipeline": {"name": "upper"},
    "transform": {"image": "image", "cmd": ["upper"]},
    "input": {"pfs": {"repo": "text", "glob": "/*"}}
  })", true, false));
  if (must(fixture.pipelines().jobs(std::nullopt, 1)).empty()) {
    for (const char* name : {"a", "b", "c"}) fixture.write("text@master", name, name);
    fixture.finish("text@master");
  }
  return fixture.newest_job("upper").state == trigger::JobState::kSuccess ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  spdlog::set_level(spdlog::level::critical);
  try {
    return argc == 2 ? run(argv[1]) : 2;
  } catch (const std::exception& e) {
    std::fprintf(stderr, "job_victim: %s\n", e.what());
    return 1;
  }
}
