#pragma once

#include <string>

#include "base/names.h"
#include "base/result.h"
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

/// Shape: for Pachyderm's `egressing` the state that no job is in. Errors: kInvalid (no such state).
inline Result<v1::JobState> job_state_of(const std::string& word) {
  if (word == "egressing") return v1::JOB_STATE_UNSPECIFIED;
  for (const auto state : {v1::JOB_STATE_STARTING, v1::JOB_STATE_RUNNING, v1::JOB_STATE_MERGING,
                           v1::JOB_STATE_SUCCESS, v1::JOB_STATE_FAILURE, v1::JOB_STATE_KILLED}) {
    if (word_of(state) == word) return state;
  }
  return Error{Code::kInvalid, "'" + printable(word) + "': no state of a job: starting, running, "
                               "merging, egressing, success, failure, killed"};
}

}  // namespace pfs::client
