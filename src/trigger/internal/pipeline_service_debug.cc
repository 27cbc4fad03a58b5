// A person in a datum's place.

#include <algorithm>
#include <thread>

#include <fmt/format.h>

#include "trigger/internal/datum_execution.h"
#include "trigger/internal/datums.h"
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
  PFS_TRY_ASSIGN(const store::Commit input, store_.catalog().commit(job->record.input_commit));
  PFS_TRY_ASSIGN(const auto datums, list_datums(store_.tree_reader(), input.root, spec, pipeline->record.salt));
  const auto found = std::find_if(datums.begin(), datums.end(), [&](const Datum& one) {
    return one.path.str() == datum || one.path.str() == "/" + datum || one.id.hex() == datum;
  });
  if (found == datums.end()) {
    return Error{Code::kNotFound, fmt::format("job {}: no datum {} in its input", id.hex(), printable(datum))};
  }
  WorkerContainer container(workers_);
  PFS_TRY(container.ensure(spec, keep));
  PFS_TRY_ASSIGN(const DatumTree view, make_datum_tree(store_.trees(), spec.input.name, *found));
  container.show(view.tree);
  PFS_TRY_ASSIGN(const auto words, container.command_within(datum_environment(spec, job->record, *found)));
  if (!ready(words)) return {};
  while (keep()) std::this_thread::sleep_for(kAskEvery);
  return {};
}

}  // namespace pfs::trigger
