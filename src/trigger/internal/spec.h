#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/names.h"
#include "base/result.h"
#include "trigger/internal/spec_input.h"

namespace pfs::trigger {

/// A pipeline as its author wrote it, checked, with the defaults filled in.
/// Source: the pipeline specification of Pachyderm 1.13; docs/pipelines.md says which fields do what here.
struct PipelineSpec {
  struct Transform {
    std::string image;               ///< required
    std::vector<std::string> cmd;    ///< required; executed as it is, without a shell
    std::vector<std::string> stdin_lines;
    std::map<std::string, std::string> env;
    std::string user;                ///< a name or number; empty: the image's
    std::string working_dir;         ///< empty: the image's
    std::vector<int> accept_return_code;  ///< counts as success beside 0
  };

  RepoName name;
  std::string description;
  Transform transform;
  Input input;
  BranchName output_branch;
  std::uint64_t datum_tries = 3;      ///< attempts, the first one included
  bool reprocess_every_job = false;   ///< never skip what an earlier job did
  std::optional<std::string> salt;    ///< part of every datum's identity; drawn at random when not given

  BranchRef output() const { return {name, output_branch}; }
};

/// Errors: kInvalid (not JSON; an unknown field; a wrong type; a value that cannot be), kUnsupported (a field that is
/// known and does nothing here yet, unless it has its default value). Both name the field.
Result<PipelineSpec> parse_spec(std::string_view json_text);

/// The spec as JSON, always the same text for the same spec.
std::string to_json(const PipelineSpec& spec);

}  // namespace pfs::trigger
