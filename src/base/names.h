#pragma once

#include <cstdint>
#include <compare>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/ids.h"
#include "base/result.h"

namespace pfs {

/// A repo's (and pipeline's) name: `[A-Za-z0-9_-]{1,63}`. Checked once, here.
class RepoName {
 public:
  RepoName() = default;
  static Result<RepoName> parse(std::string_view text);
  const std::string& str() const { return text_; }
  auto operator<=>(const RepoName&) const = default;

 private:
  std::string text_;
};

/// A branch's name: as a repo's, and never 32 hex digits (those are commits).
class BranchName {
 public:
  BranchName() = default;
  static Result<BranchName> parse(std::string_view text);
  const std::string& str() const { return text_; }
  auto operator<=>(const BranchName&) const = default;

 private:
  std::string text_;
};

/// `repo@branch`.
struct BranchRef {
  RepoName repo;
  BranchName branch;

  static Result<BranchRef> parse(std::string_view text);
  std::string str() const { return repo.str() + "@" + branch.str(); }
  auto operator<=>(const BranchRef&) const = default;
};

/// `^N` walks to the Nth parent, `.N` counts from the oldest commit of the chain (1 is the oldest).
struct Ancestry {
  enum class Direction { kNone, kBack, kFromRoot };
  Direction direction = Direction::kNone;
  std::uint64_t steps = 0;
};

/// What follows the `@`: a branch or a commit id, then an ancestry suffix (`^`, `^^`, `^3`, `~`, `.2`).
struct CommitRef {
  RepoName repo;
  std::optional<BranchName> branch;  ///< set when the name is a branch
  std::optional<CommitId> id;        ///< set when the name is 32 hex digits
  Ancestry ancestry;

  /// Parses `repo@name<suffix>`. Errors: kInvalid.
  static Result<CommitRef> parse(std::string_view text);
  /// Parses `name<suffix>` in `repo`.
  static Result<CommitRef> parse_in(const RepoName& repo, std::string_view text);
  /// What parse_in() reads: `master^3`.
  std::string name() const;
  std::string str() const { return repo.str() + "@" + name(); }
};

/// A pipeline, or one of its versions: `edges^` is the one before, `edges.1` the first.
struct PipelineRef {
  RepoName name;
  Ancestry version;

  /// Errors: kInvalid.
  static Result<PipelineRef> parse(std::string_view text);
};

/// Errors: kInvalid (empty, `.`, `..`, NUL, slash), kNameTooLong (over 255 bytes). Bytes are otherwise free.
/// Source: POSIX.1-2017 3.170 "Filename".
Result<void> check_entry_name(std::string_view name);

/// A path inside a tree, as checked components; empty for the root.
class RepoPath {
 public:
  RepoPath() = default;
  /// Accepts `a/b`, `/a/b`, `/a/b/`, `` and `/`; doubled slashes collapse.
  /// Errors: kInvalid (`.`, `..`, NUL), kNameTooLong (a component over 255 bytes, the whole over 4096).
  static Result<RepoPath> parse(std::string_view text);

  const std::vector<std::string>& parts() const& { return parts_; }
  std::vector<std::string> parts() && { return std::move(parts_); }
  bool is_root() const { return parts_.empty(); }
  /// `/a/b`; `/` for the root.
  std::string str() const;
  RepoPath parent() const;
  const std::string& name() const { return parts_.back(); }
  RepoPath joined(std::string name) const;
  auto operator<=>(const RepoPath&) const = default;

 private:
  std::vector<std::string> parts_;
};

/// Bytes of a name for a message: control characters and invalid UTF-8 as `\xNN`.
std::string printable(std::string_view bytes);

}  // namespace pfs
