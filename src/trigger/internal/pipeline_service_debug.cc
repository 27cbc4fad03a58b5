// A person in a datum's place.

#include <algorithm>
#include <thread>

#include <fmt/format.h>

#include "trigger/internal/datum_environment.h"
#include "trigger/internal/datum_tree.h"
#include "trigger/internal/datums.h"
#include "trigger/internal/job_inputs.h"
#include "trigger/internal/pipeline_service.h"

namespace pfs::trigger {

namespace {

constexpr std::chrono::milliseconds kAskEvery{100};

}  // namespace

Result<void> PipelineService::debug_datum(const JobId& id, const std::string& datum,
                                          const std::function<bool(const std::vector<std::string>& words)>& ready,
                                          const std::function<bool()>& keep) {
  PFS_TRY_ASSIGN(const auto job, ledger_.job(id));
  if (!job) return Error{Code::kNotFound, fmt::format("job {}: no such job", id.hex())};
  PFS_TRY_ASSIGN(const auto pipeline, ledger_.pipeline(job->record.pipeline));
  if (!pipeline) return Error{Code::kNotFound, fmt::format("job {}: its pipeline is gone", id.hex())};
  PFS_TRY_ASSIGN(const PipelineSpec spec, parse_spec(pipeline->record.spec_json));
  PFS_TRY_ASSIGN(const LoadedInputs inputs, load_inputs(store_.catalog(), job->record.inputs));
  const DatumMaker maker(spec.name, pipeline->record.salt);
  PFS_TRY_ASSIGN(const auto datums, list_datums(store_.tree_reader(), spec.input, inputs.roots, maker));
  const auto found = std::find_if(datums.begin(), datums.end(), [&](const Datum& one) {
    return one.label() == datum || one.label() == "/" + datum || one.id.hex() == datum;
  });
  if (found == datums.end()) {
    return Error{Code::kNotFound, fmt::format("job {}: no datum {} in its input", id.hex(), printable(datum))};
  }
  WorkerContainer container(workers_);
  PFS_TRY(container.ensure(spec, keep));
  PFS_TRY_ASSIGN(const DatumTree view, make_datum_tree(store_.trees(), store_.tree_reader(), *found));
  container.show(view.tree);
  const auto environment = datum_environment(*found, job->record, job->record.output_commit.value_or(CommitId()));
  PFS_TRY_ASSIGN(const auto words, container.command_within(environment));
  if (!ready(words)) return {};
  while (keep()) std::this_thread::sleep_for(kAskEvery);
  return {};
}

}  // namespace pfs::trigger
