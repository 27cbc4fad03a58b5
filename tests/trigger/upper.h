#pragma once

#include <atomic>
#include <functional>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "support/pipeline_fixture.h"
#include "support/temporary_directory.h"

namespace pfs::test {

inline const std::string kUpperSpec = R"({
  "pipeline": {"name": "upper"},
  "transform": {"image": "image", "cmd": ["upper"], "env": {"GREETING": "hi"}},
  "input": {"pfs": {"repo": "text", "glob": "/*"}}
})";

inline std::string upper_with(const std::string& field, const std::string& value) {
  auto json = nlohmann::json::parse(kUpperSpec);
  json[nlohmann::json::json_pointer(field)] = nlohmann::json::parse(value);
  return json.dump();
}

/// A pipeline whose command writes each input file in upper case to /pfs/out, and remembers what it was asked for.
struct Upper {
  Upper() : fixture(directory.path(), [this](const ProgramCall& call) { return run(call); }) {
    fixture.open();
    fixture.make_branch("text@master");
  }

  trigger::worker::CommandEnd run(const ProgramCall& call) {
    ++runs;
    last_environment = call.request.environment;
    if (behaviour) return behaviour(call);
    return copy(call);
  }

  trigger::worker::CommandEnd copy(const ProgramCall& call) {
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
  trigger::JobInfo job() { return fixture.newest_job("upper"); }
  std::size_t job_count() { return must(fixture.pipelines().jobs(std::nullopt, 100)).size(); }

  TemporaryDirectory directory;
  std::atomic<int> runs{0};
  std::vector<std::string> last_environment;
  std::function<trigger::worker::CommandEnd(const ProgramCall&)> behaviour;
  PipelineFixture fixture;
};

}  // namespace pfs::test
