#pragma once

#include <catch2/catch.hpp>

#include <functional>
#include <map>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "base/sync.h"
#include "support/pipeline_fixture.h"
#include "support/temporary_directory.h"

namespace pfs::test {

inline nlohmann::json pfs_input(const std::string& repo, const std::string& glob = "/*") {
  return {{"pfs", {{"repo", repo}, {"glob", glob}}}};
}

inline std::string spec_reading(const std::string& name, const nlohmann::json& input) {
  return nlohmann::json{{"pipeline", {{"name", name}}}, {"transform", {{"image", "image"}, {"cmd", {name}}}}, {"input", input}}.dump();
}

/// Pipelines whose commands put out, for each file of each input, `<input>.<file>` with the same content.
struct Pipes {
  Pipes() : fixture(directory.path(), [this](const ProgramCall& call) { return run(call); }) { fixture.open(); }

  trigger::worker::CommandEnd run(const ProgramCall& call) {
    const std::string& name = call.request.arguments.front();
    std::function<trigger::worker::CommandEnd()> behaviour;
    {
      Lock lock(mutex);
      ++runs[name];
      last_environment[name] = call.request.environment;
      behaviour = behaviours[name];
    }
    if (behaviour) {
      const trigger::worker::CommandEnd end = behaviour();
      if (end.how != trigger::worker::End::kExited || end.code != 0) return end;
    }
    copy(call);
    return {};
  }

  void copy(const ProgramCall& call) {
    auto& trees = fixture.store().trees();
    const auto view = fixture.view(call);
    const auto out = must(trees.lookup(view, "out"));
    for (const auto& input : names(view)) {
      if (input == "out") continue;
      const auto from = must(trees.lookup(view, input));
      for (const auto& name : names(from)) {
        fixture.write_file(out, input + "." + name, fixture.read_node(must(trees.lookup(from, name))));
      }
    }
  }

  std::vector<std::string> names(const store::NodePtr& node) {
    std::vector<std::string> found;
    must(fixture.store().trees().list(node, {}, [&](const store::ListedEntry& entry) {
      found.push_back(entry.name);
      return true;
    }));
    return found;
  }

  void make(const std::string& name, const nlohmann::json& input) { must(fixture.pipelines().create(spec_reading(name, input), false, false)); }
  CommitId commit(const std::string& ref, const std::string& path, const std::string& text) {
    fixture.write(ref, path, text);
    return fixture.finish(ref);
  }
  std::size_t job_count(const std::string& pipeline) {
    return must(fixture.pipelines().jobs(PipelineFixture::repo(pipeline), 100)).size();
  }
  store::Commit head(const std::string& ref) {
    return must(fixture.store().catalog().resolve(must(CommitRef::parse(ref))));
  }
  /// The commits that a commit was made from, by their branches.
  std::map<std::string, CommitId> made_from(const std::string& ref) {
    std::map<std::string, CommitId> causes;
    for (const auto& cause : head(ref).provenance) causes[cause.branch.str()] = cause.commit;
    CHECK(causes.size() == head(ref).provenance.size());
    return causes;
  }
  std::string progress(const trigger::JobInfo& job) {
    return std::to_string(job.processed) + "+" + std::to_string(job.skipped) + "/" + std::to_string(job.total);
  }
  void set_behaviour(const std::string& name, std::function<trigger::worker::CommandEnd()> behaviour) {
    Lock lock(mutex);
    behaviours[name] = std::move(behaviour);
  }

  TemporaryDirectory directory;
  Mutex mutex{LockRank::kLeaf};
  std::map<std::string, int> runs;
  std::map<std::string, std::vector<std::string>> last_environment;
  std::map<std::string, std::function<trigger::worker::CommandEnd()>> behaviours;
  PipelineFixture fixture;
};

/// a -> b, c -> d
struct Diamond : Pipes {
  explicit Diamond(bool mounted = true) {
    fixture.views().set_mounted(mounted);  // first: a pipeline that is there may have its container at once
    fixture.make_branch("a@master");
    make("b", pfs_input("a"));
    make("c", pfs_input("a"));
    make("d", {{"cross", {pfs_input("b", "/"), pfs_input("c", "/")}}});
  }
};

}  // namespace pfs::test
