#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "store/tree_reader.h"
#include "store/types.h"

namespace pfs::store {

/// An entry that a glob found.
struct GlobMatch {
  RepoPath path;
  Entry entry;                        ///< for the root: a directory without a name
  std::vector<std::string> captures;  ///< what each `( )` matched, in the order of their opening
};

/// A pattern over the paths of a tree.
///
/// `*` and `?` stay within one path component, `**` crosses them; `[abc]`, `[a-c]`, `[!x]`, `[[:alpha:]]`; `{a,b}`;
/// `@(a|b)`, `*(…)`, `+(…)`, `?(…)`, `!(…)`, and `( )` as `@( )`: each group is a capture. A backslash takes the next
/// character as it is. A leading slash is implied, a trailing one ignored; `/` alone is the root. Names that begin
/// with a dot are names like others.
///
/// An immutable value; thread-safe.
/// Source: the pattern language of Pachyderm 1.13 pipelines, with bash's meaning of `!( )`.
class Glob {
 public:
  /// Errors: kInvalid (names the place in the pattern).
  static Result<Glob> parse(std::string_view pattern);

  const std::string& str() const;
  bool matches(const RepoPath& path) const;
  /// How many groups `( )` it has.
  std::size_t groups() const;

  /// Every entry below `root` whose path matches, in the order of paths (component by component, by bytes; a directory
  /// before what is in it); the callback returns false to stop. Directories that no match can be in are not read.
  /// Errors: kInvalid (the pattern needs too long on some path), kCorrupt, kIo.
  Result<void> visit(const TreeReader& reader, const Subtree& root,
                     const std::function<bool(const GlobMatch&)>& match) const;

 private:
  struct Compiled;
  explicit Glob(std::shared_ptr<const Compiled> compiled) : compiled_(std::move(compiled)) {}
  std::shared_ptr<const Compiled> compiled_;
};

}  // namespace pfs::store
