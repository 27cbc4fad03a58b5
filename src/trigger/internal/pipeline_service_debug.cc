// A person in a datum's place.

#include <algorithm>
#include <thread>

#include <fmt/format.h>

#include "trigger/internal/again.h"
#include "trigger/internal/datum_environment.h"
#include "trigger/internal/datum_tree.h"
#include "trigger/internal/job_datums.h"

namespace pfs::trigger {

Result<void> PipelineService::debug_datum(const JobId& id, const std::string& datum,
                                          const std::function<bool(const std::vector<std::string>& words)>& ready,
                                          const std::function<bool()>& keep) {
  PFS_TRY_ASSIGN(const auto all, datums_of(id));
  const auto found = std::find_if(all->datums.begin(), all->datums.end(), [&](const Datum& one) {
    return one.label() == datum || one.label() == "/" + datum || one.id.hex() == datum;
  });
  if (found == all->datums.end()) {
    return Error{Code::kNotFound, fmt::format("job {}: no datum {} in its input; `pfs list datum {}` shows which there are",
                                              id.hex(), printable(datum), id.hex())};
  }
  WorkerContainer container(workers_);
  PFS_TRY(container.ensure(all->spec, keep));
  PFS_TRY_ASSIGN(const DatumTree view, make_datum_tree(store_.trees(), store_.tree_reader(), *found));
  container.show(view.tree);
  const auto environment = datum_environment(*found, all->job, all->job.output_commit.value_or(CommitId()));
  PFS_TRY_ASSIGN(const auto words, container.command_within(environment, all->spec.transform.working_dir));
  if (!ready(words)) return {};
  while (keep()) std::this_thread::sleep_for(kAskEvery);
  return {};
}

}  // namespace pfs::trigger
