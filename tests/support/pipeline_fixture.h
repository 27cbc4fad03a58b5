#pragma once

#include <fcntl.h>

#include <atomic>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "store/store.h"
#include "support/fake_runner.h"
#include "support/must.h"
#include "support/tree_view_host.h"
#include "trigger/internal/pipeline_service.h"
#include "trigger/secrets.h"

namespace pfs::test {

/// A store with pipelines whose containers are fakes. Closing and opening it again is what a restart of pfsd is.
class PipelineFixture {
 public:
  /// `program` runs as the pipelines' command.
  PipelineFixture(std::string directory, std::function<trigger::worker::CommandEnd(const ProgramCall&)> program)
      : directory_(std::move(directory)), program_(std::move(program)) {}
  ~PipelineFixture() { close(); }

  void open(bool start = true) {
    store::StoreOptions options;
    options.path = directory_ + "/store";
    options.clock = &clock_;
    options.automatic_commits = false;
    store_ = must(store::Store::open(options));
    secrets_ = must(trigger::Secrets::open(directory_ + "/secrets", clock_));
    auto runner = std::make_unique<FakeRunner>(program_);
    runner_ = runner.get();
    const trigger::PipelinesOptions pipelines{store_.get(), &views_,  &clock_,
                                              "/worker",    directory_ + "/jobs", idle_time_, {}, secrets_.get()};
    service_ = std::make_unique<trigger::PipelineService>(pipelines, std::move(runner));
    must(service_->make_directories());
    store_->set_publish_hook(service_.get());
    if (start) must(service_->start());
  }
  void close() {
    if (!service_) return;
    service_->stop();
    store_->set_publish_hook(nullptr);
    service_.reset();
    store_.reset();
  }

  /// For the next open().
  void set_idle_time(std::chrono::milliseconds time) { idle_time_ = time; }

  store::Store& store() { return *store_; }
  trigger::PipelineService& pipelines() { return *service_; }
  trigger::Secrets& secrets() { return *secrets_; }
  FakeRunner& runner() { return *runner_; }
  TreeViewHost& views() { return views_; }

  static BranchRef branch(const std::string& text) { return must(BranchRef::parse(text)); }
  static RepoName repo(const std::string& text) { return must(RepoName::parse(text)); }

  void make_branch(const std::string& ref) { must(store_->catalog().create_branch(branch(ref), std::nullopt, true)); }

  void write(const std::string& ref, const std::string& path, const std::string& text) {
    auto& trees = store_->trees();
    const auto where = must(RepoPath::parse(path));
    store::NodePtr directory = trees.root(must(trees.branch(branch(ref))));
    for (const auto& name : where.parent().parts()) {
      auto found = trees.lookup(directory, name);
      directory = found ? *found : make_directory(directory, name);
    }
    write_file(directory, where.name(), text);
  }
  store::NodePtr make_directory(const store::NodePtr& parent, const std::string& name) {
    store::MakeRequest request;
    request.kind = store::Kind::kDirectory;
    request.mode = 0755;
    return must(store_->trees().make(parent, name, request));
  }
  void write_file(const store::NodePtr& directory, const std::string& name, const std::string& text) {
    auto& trees = store_->trees();
    store::MakeRequest request;
    request.exclusive = false;
    const auto file = must(trees.make(directory, name, request));
    store::AttributeChange empty;
    empty.size = 0;
    must(trees.set_attributes(file, empty));
    must(trees.write(file, 0, as_bytes(text)));
  }
  CommitId finish(const std::string& ref) { return must(store_->catalog().finish(branch(ref), {})).commit; }

  std::string read_node(const store::NodePtr& file) {
    auto& trees = store_->trees();
    std::string text(must(trees.stat(file)).size, '\0');
    must(trees.read(file, 0, std::as_writable_bytes(std::span(text.data(), text.size()))));
    return text;
  }
  /// The file at a branch's HEAD.
  std::string read(const std::string& ref, const std::string& path) {
    auto& trees = store_->trees();
    const auto commit = must(store_->catalog().resolve(must(CommitRef::parse(ref))));
    const auto root = trees.root(must(trees.commit(commit)));
    return read_node(must(trees.walk(root, must(RepoPath::parse(path)))));
  }
  /// The root of what a fake container sees at /pfs.
  store::NodePtr view(const ProgramCall& call) { return store_->trees().root(views_.shown(call.view_path)); }

  /// The newest job of a pipeline, once it has ended.
  trigger::JobInfo newest_job(const std::string& pipeline) {
    const auto jobs = must(service_->jobs(repo(pipeline), 1));
    if (jobs.empty()) throw std::runtime_error("no job of " + pipeline);
    return must(service_->wait(jobs.front().id, patience()));
  }
  static std::function<bool()> patience() {
    return [until = std::chrono::steady_clock::now() + std::chrono::seconds(30)] {
      return std::chrono::steady_clock::now() < until;
    };
  }

 private:
  const std::string directory_;
  const std::function<trigger::worker::CommandEnd(const ProgramCall&)> program_;
  std::chrono::milliseconds idle_time_ = std::chrono::minutes(10);
  SystemClock clock_;
  TreeViewHost views_;
  std::unique_ptr<store::Store> store_;
  std::unique_ptr<trigger::Secrets> secrets_;
  FakeRunner* runner_ = nullptr;
  std::unique_ptr<trigger::PipelineService> service_;
};

}  // namespace pfs::test
