#pragma once

#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "base/names.h"
#include "base/result.h"

namespace pfs::trigger {

/// A branch that a pipeline reads, and the glob that cuts it up.
struct PfsInput {
  RepoName repo;
  RepoName name;  ///< the directory below /pfs; the repo's name unless said otherwise
  BranchName branch;
  std::string glob;
  std::string join_on;     ///< in a join: files with the same text are joined; `$1` is what the first group matched
  bool outer_join = false;  ///< in a join: what has no partner stays
  std::string group_by;    ///< in a group: files with the same text are one datum
  bool empty_files = false;  ///< the program sees names, and files without content

  BranchRef ref() const { return {repo, branch}; }
  bool operator==(const PfsInput&) const = default;
};

/// What a pipeline reads: a branch, or a combination of inputs.
/// Source: Pachyderm 1.13 "Inputs"; docs/pipelines.md "Inputs".
struct Input {
  enum class Kind { kPfs, kCross, kUnion, kJoin, kGroup };
  Kind kind = Kind::kPfs;
  PfsInput pfs;              ///< kPfs only
  std::vector<Input> parts;  ///< of the others, at least one

  bool operator==(const Input&) const = default;
};

/// Errors: kInvalid (an unknown field, a wrong type, a value that cannot be, a name that is used twice), kUnsupported (an
/// input that is known and does not work here yet). They name the field.
/// `notes`, if not null, is told of fields that were given and have no effect, and why.
Result<Input> read_input(const nlohmann::json& object, std::vector<std::string>* notes = nullptr);
/// As read_input() takes it, with the defaults filled in.
nlohmann::json input_json(const Input& input);

/// Its branches and globs, from left to right.
std::vector<const PfsInput*> leaves(const Input& input);
/// Each branch that is read, once, in the order of the leaves.
std::vector<BranchRef> branches_of(const Input& input);
/// The field of the first leaf that reads a repo: `input.cross[1].pfs.repo`; empty where none does.
std::string repo_field(const Input& input, const RepoName& repo);
/// Refuses names that would stand, as variables, for others that commands need. Not a part of read_input(): a spec that is kept
/// is read as it is. Errors: kInvalid (names the field).
Result<void> check_variables(const Input& input);
/// As tables show it: `images:/*`, `(a:/ ⨯ b:/*)`.
std::string shorthand(const Input& input);

}  // namespace pfs::trigger
