#include "trigger/internal/datum_environment.h"

#include <fmt/format.h>

#include <map>

namespace pfs::trigger {

std::vector<std::string> datum_environment(const Datum& datum, const JobRecord& job, const std::optional<CommitId>& output) {
  std::map<std::string, std::string> variables{
      {"PACH_JOB_ID", job.id.hex()},
      {"PACH_DATUM_ID", datum.id.hex()},
  };
  if (output) variables["PACH_OUTPUT_COMMIT_ID"] = output->hex();
  for (const auto& file : datum.files) {
    const std::string& name = file->input->name.str();
    variables[name] = "/pfs/" + name + (file->path.is_root() ? "" : file->path.str());
    for (const JobInput& input : job.inputs) {
      if (input.branch == file->input->ref() && input.commit) variables[name + "_COMMIT"] = input.commit->hex();
    }
    if (!file->join_on.empty()) variables["PACH_DATUM_" + name + "_JOIN_ON"] = file->join_on;
    if (!file->group_by.empty()) variables["PACH_DATUM_" + name + "_GROUP_BY"] = file->group_by;
  }
  std::vector<std::string> lines;
  for (const auto& [name, value] : variables) lines.push_back(fmt::format("{}={}", name, value));
  return lines;
}

}  // namespace pfs::trigger
