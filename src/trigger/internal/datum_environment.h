#pragma once

#include <optional>
#include <string>
#include <vector>

#include "trigger/internal/datums.h"
#include "trigger/internal/records.h"

namespace pfs::trigger {

/// The variables that tell a datum's program what it is given, each `NAME=value`: for each input `<name>`, `<name>_COMMIT`, in a
/// join `PACH_DATUM_<name>_JOIN_ON`, in a group `PACH_DATUM_<name>_GROUP_BY`; PACH_JOB_ID, PACH_DATUM_ID,
/// PACH_OUTPUT_COMMIT_ID, where there is an `output`. Of an input with several files `<name>` is the last one.
/// Source: Pachyderm 1.13 "Environment Variables"; docs/pipelines.md "What the program sees".
std::vector<std::string> datum_environment(const Datum& datum, const JobRecord& job, const std::optional<CommitId>& output);

}  // namespace pfs::trigger
