#pragma once

#include <atomic>
#include <functional>
#include <set>
#include <string>

#include "support/pipeline_fixture.h"
#include "support/temporary_directory.h"

namespace pfs::test {

/// A pipeline `work` that reads text@master, a datum for each file, and whose command a test makes up.
struct JobFixture {
  using Behaviour = std::function<trigger::worker::CommandEnd(const ProgramCall&, const std::string& name)>;

  explicit JobFixture(Behaviour behave, std::chrono::milliseconds idle_time = std::chrono::minutes(10))
      : behaviour(std::move(behave)), fixture(directory.path(), [this](const ProgramCall& call) { return run(call); }) {
    fixture.set_idle_time(idle_time);
    fixture.open();
    fixture.make_branch("text@master");
  }

  trigger::worker::CommandEnd run(const ProgramCall& call) {
    std::string name;
    for (const auto& variable : call.request.environment) {
      if (variable.starts_with("text=/pfs/text/")) name = variable.substr(15);
    }
    return behaviour(call, name);
  }

  /// Makes the pipeline with these fields more, each a JSON pointer and a JSON value.
  void create(const std::map<std::string, std::string>& fields = {}) {
    auto spec = nlohmann::json::parse(R"({"pipeline": {"name": "work"}, "transform": {"image": "image", "cmd": ["work"]},
                                          "input": {"pfs": {"repo": "text", "glob": "/*"}}, "datum_tries": 1})");
    for (const auto& [field, value] : fields) {
      spec[nlohmann::json::json_pointer(field)] = nlohmann::json::parse(value);
    }
    must(fixture.pipelines().create(spec.dump(), false, false));
  }
  void commit(const std::set<std::string>& names, const std::string& text = "x") {
    for (const auto& name : names) fixture.write("text@master", name, text);
    fixture.finish("text@master");
  }
  /// The newest job once it has ended.
  trigger::JobInfo job() { return fixture.newest_job("work"); }
  /// The newest job as it is.
  trigger::JobInfo newest() { return must(fixture.pipelines().jobs(std::nullopt, 1)).at(0); }
  void put_out(const ProgramCall& call, const std::string& file, const std::string& text) {
    fixture.write_file(must(fixture.store().trees().lookup(fixture.view(call), "out")), file, text);
  }
  static bool until(const std::function<bool()>& condition) {
    const auto patience = PipelineFixture::patience();
    while (!condition() && patience()) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    return condition();
  }
  /// A command that runs until it is killed.
  static trigger::worker::CommandEnd hang(const ProgramCall& call) {
    until(call.killed);
    return {};
  }
  /// What became of each of a job's datums.
  std::vector<trigger::DatumState> datums(const trigger::JobInfo& of) {
    std::vector<trigger::DatumState> states;
    must(fixture.pipelines().datums(of.id, [&](const trigger::DatumInfo& datum) {
      states.push_back(datum.state.value());
      return true;
    }));
    return states;
  }
  std::vector<std::string> log(const trigger::JobInfo& of) {
    std::vector<std::string> lines;
    trigger::LogFilter filter;
    filter.job = of.id;
    must(fixture.pipelines().logs(filter, [&](const trigger::LogLine& line) {
      lines.push_back(line.text);
      return true;
    }));
    return lines;
  }

  TemporaryDirectory directory;
  Behaviour behaviour;
  PipelineFixture fixture;
};

}  // namespace pfs::test
