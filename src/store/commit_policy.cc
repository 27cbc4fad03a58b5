#include "store/commit_policy.h"

#include <fmt/format.h>

#include "base/names.h"

namespace pfs::store {

Result<CommitWhen> parse_commit_when(std::string_view text) {
  for (const auto when : {CommitWhen::kAuto, CommitWhen::kClose, CommitWhen::kManual}) {
    if (text == name_of(when)) return when;
  }
  return Error{Code::kInvalid, fmt::format("'{}': commits are made auto, close or manual", printable(text))};
}

std::string_view name_of(CommitWhen when) {
  switch (when) {
    case CommitWhen::kAuto: return "auto";
    case CommitWhen::kClose: return "close";
    case CommitWhen::kManual: return "manual";
  }
  return "auto";
}

CommitPolicy PolicySettings::over(const CommitPolicy& defaults) const {
  return {when.value_or(defaults.when), after.value_or(defaults.after), max.value_or(defaults.max)};
}

}  // namespace pfs::store
