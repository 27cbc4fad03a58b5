#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string_view>

#include "base/result.h"

namespace pfs::store {

/// By what a branch's changes become a commit without being asked for.
enum class CommitWhen : std::uint8_t {
  kAuto = 1,    ///< when the branch is quiet, or has been changing for long
  kClose = 2,   ///< at the last close of each changed file, and as kAuto
  kManual = 3,  ///< never: on request only
};

/// `auto`, `close`, `manual`. Errors: kInvalid.
Result<CommitWhen> parse_commit_when(std::string_view text);
std::string_view name_of(CommitWhen when);

/// When commits are made of a branch. Source: docs/semantics.md S41, S49, S50.
struct CommitPolicy {
  CommitWhen when = CommitWhen::kAuto;
  std::chrono::milliseconds after{1000};  ///< without a change, and no file being written: the branch is quiet
  std::chrono::milliseconds max{60000};   ///< of changes without quiet: files being written are left out then; 0: never

  bool operator==(const CommitPolicy&) const = default;
};

/// What somebody says of it: a branch of itself, a mount of the branches made there. What is not set is up to whoever
/// comes after: the branch's own settings, then the daemon's.
struct PolicySettings {
  std::optional<CommitWhen> when;
  std::optional<std::chrono::milliseconds> after;
  std::optional<std::chrono::milliseconds> max;

  bool empty() const { return !when && !after && !max; }
  CommitPolicy over(const CommitPolicy& defaults) const;
  bool operator==(const PolicySettings&) const = default;
};

}  // namespace pfs::store
