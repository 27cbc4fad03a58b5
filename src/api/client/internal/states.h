#pragma once

#include <string>

#include "pfs/v1/job.pb.h"

namespace pfs::client {

/// The word of tables for a job's state; empty for none.
inline std::string word_of(v1::JobState state) {
  switch (state) {
    case v1::JOB_STATE_UNSPECIFIED: return "";
    case v1::JOB_STATE_STARTING: return "starting";
    case v1::JOB_STATE_RUNNING: return "running";
    case v1::JOB_STATE_MERGING: return "merging";
    case v1::JOB_STATE_SUCCESS: return "success";
    case v1::JOB_STATE_FAILURE: return "failure";
    case v1::JOB_STATE_KILLED: return "killed";
    default: return "unknown";  // of a newer daemon
  }
}

}  // namespace pfs::client
