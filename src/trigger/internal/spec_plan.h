#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "trigger/internal/ledger.h"
#include "trigger/internal/spec.h"
#include "trigger/pipelines.h"

namespace pfs::trigger {

/// A spec beside the pipeline that it changes.
struct PlannedSpec {
  PipelineSpec spec;
  std::string origin;
  SpecPlan plan;
  Ledger::Change change;  ///< where the outcome is not kUnchanged

  bool changes() const { return plan.outcome != SpecOutcome::kUnchanged; }
  /// Its origin, if it has one, stands before an error about it.
  Error refused(Error error) const { return origin.empty() ? std::move(error) : std::move(error).within(origin); }
};
using PlannedSpecs = std::vector<PlannedSpec>;

/// A line for each field that differs between two specs as JSON: `transform.image: "a" -> "b"`.
std::vector<std::string> differences(const std::string& before, const std::string& after);

/// Reads the specs. Errors: those of parse_spec() and check_new_spec(), with the origin; kInvalid (two of one name).
Result<PlannedSpecs> read_specs(std::span<const SpecText> specs);

/// A refusal where a pipeline would read, by way of others or not, what it writes itself. `pipelines`: those that are there.
/// Errors: kInvalid (names the pipelines on the way).
Result<void> refuse_cycles(const PlannedSpecs& planned, std::span<const PipelineRecord> pipelines);

}  // namespace pfs::trigger
