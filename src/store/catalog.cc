#include "store/catalog.h"

#include <fmt/format.h>

#include "base/duration.h"
#include "base/process_name.h"

namespace pfs::store {

std::string waits_for(const BranchRef& branch, const OpenCommit& open) {
  if (open.finishing) return fmt::format("commit {} is being finished", open.finishing->hex());
  if (open.by_hand) return "started by hand: ends with finish commit " + branch.str();
  if (!open.changed) return "nothing has changed";
  if (open.policy.when == CommitWhen::kManual) return "policy manual: ends with finish commit " + branch.str();
  if (open.being_written.empty()) return fmt::format("quiet for {}", format_short_duration(open.policy.after));
  const auto& first = open.being_written.front();
  std::string text = fmt::format("{} is being written{}", first.path, first.pid == 0 ? "" : " by " + name_of_process(first.pid));
  if (open.being_written.size() > 1) text += fmt::format(", and {} more", open.being_written.size() - 1);
  return text;
}

}  // namespace pfs::store
