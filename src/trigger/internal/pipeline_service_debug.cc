// A person in a datum's place.

#include <algorithm>
#include <thread>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "trigger/internal/again.h"
#include "trigger/internal/datum_environment.h"
#include "trigger/internal/datum_tree.h"
#include "trigger/internal/job_datums.h"

namespace pfs::trigger {

namespace {

/// Whether a person who says `word` means this one of a datum's files: by its path, as it is or as it is shown, alone (also without
/// the slash), behind the input's name, as messages show it, or behind the commit, as `list datum` does.
bool names_file(const std::string& word, const DatumFile& file, const std::vector<JobInput>& inputs) {
  const auto is = [&](const std::string& path) {
    if (word == path || "/" + word == path || word == file.input->name.str() + ":" + path) return true;
    return std::any_of(inputs.begin(), inputs.end(), [&](const JobInput& input) {
      return input.branch == file.input->ref() && input.commit &&
             word == fmt::format("{}@{}:{}", input.branch.repo.str(), input.commit->hex(), path);
    });
  };
  const std::string path = file.path.str();
  return is(path) || is(printable(path));
}

/// The one that `word` names: by its hash, or else by all of its paths, or else by one of them.
/// Errors: kNotFound, kInvalid (several).
Result<const Datum*> find_named(const JobRecord& job, const std::vector<Datum>& datums, const std::string& word) {
  std::vector<const Datum*> by_label;
  std::vector<const Datum*> by_file;
  for (const Datum& datum : datums) {
    if (datum.id.hex() == word) return &datum;
    const std::string label = datum.label();
    if (label == word || label == "/" + word) by_label.push_back(&datum);
    const bool by_one = std::any_of(datum.files.begin(), datum.files.end(),
                                    [&](const auto& file) { return names_file(word, *file, job.inputs); });
    if (by_one) by_file.push_back(&datum);
  }
  const auto& found = by_label.empty() ? by_file : by_label;
  if (found.size() == 1) return found.front();
  const std::string id = job.id.hex();
  if (found.empty()) {
    return Error{Code::kNotFound, fmt::format("job {}: no datum {} in its input; `pfs list datum {}` shows which there are", id,
                                              printable(word), id)};
  }
  return Error{Code::kInvalid, fmt::format("job {}: {} names {} datums; say which by its hash, as `pfs list datum {}` shows it", id,
                                           printable(word), found.size(), id)};
}

/// A runner hands variables on in JSON, as Kubernetes and the engines do: what is not UTF-8 would arrive as something else.
Result<void> check_utf8(const Datum& datum, const std::vector<std::string>& environment) {
  using nlohmann::json;
  for (const std::string& variable : environment) {
    const json kept = json::parse(json(variable).dump(-1, ' ', false, json::error_handler_t::ignore));
    if (kept.get_ref<const std::string&>() == variable) continue;
    return Error{Code::kUnsupported,
                 fmt::format("datum {}: its variable {} is not UTF-8, and no shell in a container can be given it; the datum's own "
                             "command is", datum.label(), printable(variable))};
  }
  return {};
}

}  // namespace

Result<void> PipelineService::debug_datum(const JobId& id, const std::string& datum,
                                          const std::function<bool(const std::vector<std::string>& words)>& ready,
                                          const std::function<bool()>& keep) {
  PFS_TRY_ASSIGN(const auto all, datums_of(id));
  PFS_TRY_ASSIGN(const Datum* found, find_named(all->job, all->datums, datum));
  std::optional<CommitId> output = all->job.output_commit;
  if (!output) {
    // that of the branch as it is, as a job that runs has it
    const auto branch = store_.catalog().branch(all->spec.output());
    if (!branch && branch.error().code != Code::kNotFound) return branch.error();
    if (branch) output = branch->open;
  }
  const auto environment = datum_environment(*found, all->job, output);
  PFS_TRY(check_utf8(*found, environment));
  WorkerContainer container(workers_);
  PFS_TRY(container.ensure(all->spec, keep));
  PFS_TRY_ASSIGN(const DatumTree view, make_datum_tree(store_.trees(), store_.tree_reader(), *found));
  container.show(view.tree);
  PFS_TRY_ASSIGN(const auto words, container.command_within(environment, all->spec.transform.working_dir));
  if (!ready(words)) return {};
  while (keep()) std::this_thread::sleep_for(kAskEvery);
  return {};
}

}  // namespace pfs::trigger
