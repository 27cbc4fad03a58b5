#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "api/client/connection.h"
#include "base/clock.h"
#include "base/names.h"
#include "base/result.h"

namespace pfs::client {

struct Pipeline {
  std::string name;
  std::uint64_t version = 0;
  std::string spec_json;
  std::string description;
  std::string input;  ///< the shorthand of tables: `images:/*`
  std::string output_repo;
  std::string output_branch;
  Timestamp created;
  std::string state;  ///< the word of tables: `running`; empty: a version that an update has replaced
  std::string reason;
  std::string last_job;  ///< the state of its newest job; empty: it has had none
  bool stopped = false;
  std::uint64_t workers_available = 0;  ///< whose containers run
  std::uint64_t workers_wanted = 0;     ///< as its spec has it
  std::vector<std::pair<std::string, std::uint64_t>> job_counts;  ///< by state; of inspect() only
};

/// JSON text of one or more specs, and where it comes from: errors about it begin with that.
struct SpecText {
  std::string origin;
  std::string json;
};

struct CreateOptions {
  bool update = false;     ///< one that is there is changed; else that is an error
  bool reprocess = false;  ///< the next job processes every datum again
  bool dry_run = false;    ///< nothing is changed
};

/// What a spec has come to, or would.
struct SpecPlan {
  std::string name;
  std::string outcome;  ///< `created`, `updated` or `unchanged`
  std::uint64_t version = 0;
  bool reprocess = false;
  std::vector<std::string> changes;  ///< of an update: `datum_tries: 3 -> 5`
  std::vector<std::string> notes;    ///< fields that have no effect, images that may change, and why
  std::string spec_json;             ///< with the defaults filled in
  struct Datums {
    std::uint64_t total = 0;
    std::uint64_t done = 0;          ///< of those, whose output an earlier job has made
    std::vector<std::string> first;  ///< the paths of some
  };
  std::optional<Datums> datums{};  ///< of a dry run
};

struct DeletePipeline {
  std::string name;          ///< empty: all of them
  bool delete_repo = false;  ///< its output repo, too
  bool force = false;        ///< also when another pipeline reads that
};

class Pipelines {
 public:
  explicit Pipelines(const Connection& connection) : connection_(connection) {}

  /// All of the specs or none. Shape: a plan for each spec.
  Result<std::vector<SpecPlan>> create(const std::vector<SpecText>& specs,
                                       const CreateOptions& options) const;
  Result<Pipeline> inspect(const RepoName& name) const;
  /// All of them, or `only` one; behind each at most `history` of its earlier versions, newest first.
  Result<std::vector<Pipeline>> list(const std::optional<RepoName>& only = {}, std::uint64_t history = 0) const;
  Result<void> remove(const DeletePipeline& what) const;
  Result<void> stop(const RepoName& name) const;
  Result<void> start(const RepoName& name) const;
  /// Causes a job of the inputs' HEADs, or of other commits; `commits`: branches and commits, `repo@branch` and `repo@commit`.
  /// Shape: the job's id.
  Result<std::string> run(const RepoName& name,
                          const std::vector<std::pair<std::string, std::string>>& commits) const;

 private:
  const Connection& connection_;
};

}  // namespace pfs::client
