#pragma once

#include <string_view>

#include "base/ids.h"

namespace pfs::cli {

/// A job's id as an argument.
struct JobIdArgument {
  JobId id;

  /// Errors: kInvalid.
  static Result<JobIdArgument> parse(std::string_view text) {
    PFS_TRY_ASSIGN(const auto id, JobId::from_hex(text));
    return JobIdArgument{id};
  }
};

}  // namespace pfs::cli
