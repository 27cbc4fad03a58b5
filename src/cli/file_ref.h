#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/names.h"
#include "base/result.h"

namespace pfs::cli {

/// `repo@branch:/path`, `repo@id:/path`; split at the first `@`, then at the first `:`.
struct FileRef {
  CommitRef commit;
  RepoPath path;
  bool has_path = false;         ///< `repo@branch` and `repo@branch:` have none
  bool names_directory = false;  ///< the path was written with a slash at its end

  /// Errors: kInvalid, kNameTooLong.
  static Result<FileRef> parse(std::string_view text);
  /// What is to be changed: a branch, or its open commit by its id, which the daemon tells from a
  /// finished one. Errors: kInvalid (an ancestry suffix).
  Result<CommitRef> to_change() const;
};

/// `repo` or `repo@branch`.
struct RepoOrBranch {
  RepoName repo;
  std::optional<BranchName> branch;

  static Result<RepoOrBranch> parse(std::string_view text);
};

/// A local file, directory or `-` that `put file` is given.
struct Source {
  std::string path;
  bool is_directory = false;
};

/// Where in the branch a source goes. A directory's contents go below that.
/// Shape: with a path and one source, the path itself, or behind a path that ends in a slash the
/// last part of a file's; with several, the path and behind it the source; without a path, the
/// source. A source is taken without `.`, `..` and a leading slash. Errors: kInvalid (nothing is
/// left to name the file).
Result<RepoPath> destination(const FileRef& target, const Source& source, bool several);

}  // namespace pfs::cli
