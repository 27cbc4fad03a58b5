#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/names.h"
#include "base/result.h"

namespace pfs::store {

/// What makes a branch's HEAD follow that of another branch of its repo. Conditions are as people wrote them; at least
/// one is set.
struct BranchTrigger {
  BranchName branch;          ///< the one that is followed; need not be there yet
  std::string cron;           ///< a schedule, empty: none
  std::string size;           ///< so many bytes more than HEAD has, empty: none
  std::uint64_t commits = 0;  ///< so many commits since HEAD, 0: none
  bool all = false;           ///< all conditions must hold, not just one

  /// `staging on Cron(@daily) or Size(1MB)`.
  std::string str() const;
  /// Errors: kInvalid (names the condition).
  Result<void> check() const;
  bool operator==(const BranchTrigger&) const = default;
};

/// A number of bytes as people write it: `1MB` (a million), `1MiB`, `512`. Errors: kInvalid.
Result<std::uint64_t> parse_size(std::string_view text);

/// A schedule: five fields as in crontab(5), `@daily` and its like, or `@every 90s`. Errors: kInvalid.
Result<void> check_cron(std::string_view text);

}  // namespace pfs::store
