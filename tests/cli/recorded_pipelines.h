#pragma once

#include <string>
#include <vector>

#include "trigger/pipelines.h"

namespace pfs::test {

/// Pipelines and jobs as a test has written them down; nothing runs.
class RecordedPipelines : public trigger::Pipelines {
 public:
  std::vector<trigger::PipelineInfo> pipelines;
  std::vector<trigger::PipelineInfo> earlier;  ///< versions
  std::vector<trigger::JobInfo> recorded_jobs;
  std::vector<trigger::LogLine> lines;
  std::vector<std::string> created;        ///< specs, as apply() was given them
  std::optional<std::uint32_t> owner_uid;  ///< of the last
  std::vector<std::string> removed;
  std::vector<std::string> ran;
  trigger::SpecPlan plan;            ///< what every spec comes to
  std::vector<trigger::DatumInfo> recorded_datums;  ///< of every job and spec
  std::vector<std::string> done;     ///< to jobs, in a word and what it was done to
  std::vector<trigger::WorkerInfo> recorded_workers;
  std::vector<std::string> within{"echo"};  ///< what runs a command in a datum's place, before the datum
  mutable trigger::LogFilter asked;  ///< by logs(), the last time

  Result<void> on_moves(std::span<const store::HeadMove>, const store::BranchAfter&, store::RefTxn&) override { return {}; }
  void after_moves(std::span<const store::HeadMove>) override {}
  void after_discard(const BranchRef&) override {}
  Result<void> on_delete(const BranchRef&, store::DeletionOf, store::RefTxn&) override { return {}; }
  Result<void> on_commits_deleted(std::span<const CommitId>, store::RefTxn&) override { return {}; }

  Result<void> start() override { return {}; }
  void stop() override {}
  Result<std::vector<trigger::SpecPlan>> apply(std::span<const trigger::SpecText> specs,
                                               const trigger::ApplyOptions& options) override {
    owner_uid = options.owner ? std::optional(options.owner->uid) : std::nullopt;
    std::vector<trigger::SpecPlan> plans;
    for (const auto& spec : specs) {
      if (spec.json.find("bad") != spec.json.npos) {
        return Error{Code::kInvalid, "pipeline spec: bad"}.within(spec.origin);
      }
      created.push_back(spec.json + (options.update ? " update" : "") +
                        (options.reprocess ? " reprocess" : "") + (options.dry_run ? " dry run" : ""));
      plans.push_back(plan);
    }
    return plans;
  }
  Result<std::vector<trigger::PipelineInfo>> list() const override { return pipelines; }
  Result<std::vector<trigger::PipelineInfo>> earlier_versions(const RepoName& name, std::size_t limit) const override {
    std::vector<trigger::PipelineInfo> versions;
    for (const auto& version : earlier) {
      if (version.name == name && versions.size() < limit) versions.push_back(version);
    }
    return versions;
  }
  Result<trigger::PipelineInfo> get(const RepoName& name) const override {
    for (const auto& pipeline : pipelines) {
      if (pipeline.name == name) return pipeline;
    }
    return Error{Code::kNotFound, "pipeline " + name.str() + ": not found"};
  }
  Result<void> remove(std::span<const RepoName> names, const trigger::RemoveOptions& options) override {
    for (const auto& name : names) {
      PFS_TRY(get(name));
      std::erase_if(pipelines, [&name](const auto& pipeline) { return pipeline.name == name; });
      removed.push_back(name.str() + (options.force ? " force" : "") + (options.keep_repo ? " keep" : ""));
    }
    return {};
  }
  Result<void> set_stopped(const RepoName& name, bool stopped) override {
    for (auto& pipeline : pipelines) {
      if (pipeline.name == name) pipeline.stopped = stopped;
    }
    return get(name) ? Result<void>() : Error{Code::kNotFound, "pipeline " + name.str() + ": not found"};
  }
  Result<JobId> run(const RepoName& name, const std::map<BranchRef, CommitRef>& commits) override {
    PFS_TRY(get(name));
    std::string text = name.str();
    for (const auto& [branch, commit] : commits) text += " " + branch.str() + "=" + commit.str();
    ran.push_back(text);
    return *JobId::from_hex(std::string(32, 'a'));
  }
  Result<std::vector<trigger::JobInfo>> jobs(const std::optional<RepoName>& pipeline,
                                             std::size_t limit) const override {
    if (pipeline) PFS_TRY(get(*pipeline));
    std::vector<trigger::JobInfo> found;
    for (const auto& job : recorded_jobs) {
      if ((!pipeline || job.pipeline == *pipeline) && found.size() < limit) found.push_back(job);
    }
    return found;
  }
  Result<trigger::JobInfo> job(const JobId& id) const override {
    for (const auto& job : recorded_jobs) {
      if (job.id == id) return job;
    }
    return Error{Code::kNotFound, "job " + id.hex() + ": not found"};
  }
  Result<trigger::JobInfo> wait(const JobId& id, const std::function<bool()>&) const override {
    return job(id);
  }
  Result<void> datums(const JobId& id,
                      const std::function<bool(const trigger::DatumInfo&)>& visit) const override {
    PFS_TRY(job(id));
    for (const auto& datum : recorded_datums) {
      if (!visit(datum)) break;
    }
    return {};
  }
  Result<trigger::DatumInfo> datum(const JobId& id, const Digest& datum_id) const override {
    PFS_TRY(job(id));
    for (const auto& datum : recorded_datums) {
      if (datum.id == datum_id) return datum;
    }
    return Error{Code::kNotFound, "datum " + datum_id.hex() + ": not found"};
  }
  Result<void> planned_datums(const std::string& spec_json,
                              const std::function<bool(const trigger::DatumInfo&)>& visit) const override {
    if (spec_json.find("bad") != spec_json.npos) return Error{Code::kInvalid, "pipeline spec: bad"};
    for (auto datum : recorded_datums) {
      datum.id.reset();
      datum.job.reset();
      datum.state.reset();
      if (!visit(datum)) break;
    }
    return {};
  }
  Result<void> stop_job(const JobId& id) override {
    PFS_TRY(job(id));
    done.push_back("stop " + id.hex());
    return {};
  }
  Result<void> delete_job(const JobId& id) override {
    PFS_TRY(job(id));
    done.push_back("delete " + id.hex());
    return {};
  }
  Result<std::size_t> restart_datums(const JobId& id,
                                     const std::vector<std::string>& filter) override {
    PFS_TRY(job(id));
    std::string all = "restart";
    for (const auto& one : filter) all += " " + one;
    done.push_back(all);
    return std::size_t{1};
  }
  Result<void> debug_datum(const JobId& id, const std::string& datum,
                           const std::function<bool(const std::vector<std::string>&)>& ready,
                           const std::function<bool()>&) override {
    PFS_TRY(job(id));
    std::vector<std::string> words = within;
    words.push_back(datum);
    ready(words);
    return {};
  }
  Result<std::vector<trigger::WorkerInfo>> workers(const RepoName&) const override {
    return recorded_workers;
  }
  Result<void> logs(const trigger::LogFilter& filter,
                    const std::function<bool(const trigger::LogLine&)>& visit) const override {
    if (filter.pipeline) PFS_TRY(get(*filter.pipeline));
    asked = filter;
    for (const auto& line : lines) {
      if (!visit(line)) break;
    }
    return {};
  }
  std::string runtime_report() const override { return "no containers are run"; }
  Result<std::string> probe_runtime() override { return std::string("no containers are run"); }
};

}  // namespace pfs::test
