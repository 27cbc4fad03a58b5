#pragma once

#include <map>
#include <vector>

#include "trigger/internal/datum_table.h"
#include "trigger/internal/datums.h"
#include "trigger/internal/pipeline_service.h"

namespace pfs::trigger {

/// A job's datums, with what tells what became of them.
struct PipelineService::JobDatums {
  JobRecord job;
  PipelineRecord pipeline;
  PipelineSpec spec;
  std::vector<Datum> datums;  ///< of `spec`
  DatumTable table;
  std::map<JobId, bool> is_earlier;  ///< than this one, of the jobs that were asked for
};

}  // namespace pfs::trigger
