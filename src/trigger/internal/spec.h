#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/names.h"
#include "base/result.h"
#include "trigger/internal/same_path.h"
#include "trigger/internal/spec_image.h"
#include "trigger/internal/spec_input.h"
#include "trigger/internal/spec_pods.h"
#include "trigger/internal/spec_transform.h"

namespace pfs::trigger {

/// A pipeline as its author wrote it, checked, with the defaults filled in.
/// Source: the pipeline specification of Pachyderm 1.13; docs/pipelines.md says which fields do what here.
struct PipelineSpec {
  using Transform = TransformSpec;

  RepoName name;
  std::string description;
  Transform transform;
  Input input;
  BranchName output_branch;
  PodTerms pods;
  SamePath output_merge = SamePath::kConcatenate;
  std::uint64_t datum_tries = 3;      ///< attempts, the first one included
  bool reprocess_every_job = false;   ///< never skip what an earlier job did
  std::optional<std::string> salt;    ///< part of every datum's identity; drawn at random when not given

  std::uint64_t version = 0;          ///< of the pipeline that has it; 0: of a text

  std::vector<std::string> notes;     ///< fields that were given and have no effect, and why

  /// Each branch that it reads, once.
  std::vector<BranchRef> inputs() const { return branches_of(input); }
  BranchRef output() const { return {name, output_branch}; }
};

/// Errors: kInvalid (not JSON; an unknown field; a wrong type; a value that cannot be), kUnsupported (a field that is
/// known and does nothing here yet, unless it is null, false, 0 or ""). Both name the field.
Result<PipelineSpec> parse_spec(std::string_view json_text);

/// Refuses what no container could run with. Not a part of parse_spec(): a spec that is kept is read as it is.
/// Errors: kInvalid (names the field).
Result<void> check_new_spec(const PipelineSpec& spec);

/// The spec as JSON, always the same text for the same spec.
std::string to_json(const PipelineSpec& spec);

}  // namespace pfs::trigger
