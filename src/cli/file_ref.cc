#include "cli/file_ref.h"

#include <algorithm>
#include <vector>

#include <fmt/format.h>

namespace pfs::cli {
namespace {

/// The components of a local path as far as they name something: `../a/./b/../c` is a, c.
std::vector<std::string> cleaned(const std::string& source) {
  std::vector<std::string> parts;
  std::string_view rest = source;
  while (!rest.empty()) {
    const auto part = rest.substr(0, rest.find('/'));
    rest.remove_prefix(std::min(part.size() + 1, rest.size()));
    if (part.empty() || part == ".") continue;
    if (part != "..") {
      parts.emplace_back(part);
    } else if (!parts.empty()) {
      parts.pop_back();
    }
  }
  return parts;
}

}  // namespace

Result<FileRef> FileRef::parse(std::string_view text) {
  const auto at = text.find('@');
  const auto colon = at == text.npos ? text.npos : text.find(':', at);
  FileRef ref;
  PFS_TRY_ASSIGN(ref.commit, CommitRef::parse(text.substr(0, colon)));
  if (colon == text.npos || colon + 1 == text.size()) return ref;
  const auto path = text.substr(colon + 1);
  PFS_TRY_ASSIGN(ref.path, RepoPath::parse(path));
  ref.has_path = true;
  ref.names_directory = path.ends_with('/');
  return ref;
}

Result<CommitRef> FileRef::to_change() const {
  if (commit.ancestry.direction != Ancestry::Direction::kNone) {
    return Error{Code::kInvalid,
                 fmt::format("{}: a commit never changes; name a branch", commit.str())};
  }
  return commit;
}

Result<RepoOrBranch> RepoOrBranch::parse(std::string_view text) {
  RepoOrBranch scope;
  const auto at = text.find('@');
  PFS_TRY_ASSIGN(scope.repo, RepoName::parse(text.substr(0, at)));
  if (at != text.npos) {
    PFS_TRY_ASSIGN(scope.branch, BranchName::parse(text.substr(at + 1)));
  }
  return scope;
}

Result<RepoPath> destination(const FileRef& target, const Source& source, bool several) {
  const bool into_directory = target.names_directory && !source.is_directory;
  if (target.has_path && !several && !into_directory) return target.path;
  auto parts = source.path == "-" ? std::vector<std::string>() : cleaned(source.path);
  if (parts.empty()) {
    return Error{Code::kInvalid, fmt::format("source '{}': gives the file no name; write {}:/PATH",
                                             source.path, target.commit.str())};
  }
  if (target.has_path && !several) parts = {parts.back()};
  std::string text = target.path.str();
  for (const auto& part : parts) text += "/" + part;
  return RepoPath::parse(text);
}

}  // namespace pfs::cli
