#include "store/glob.h"

#include <utility>

#include "store/tree/glob_regex.h"
#include "store/tree/glob_syntax.h"

namespace pfs::store {

struct Glob::Compiled {
  std::string text;
  bool root_only = false;
  std::optional<GlobRegex> whole;  ///< against the path with its leading slash
  std::vector<GlobLevel> levels;
  bool complete = false;  ///< a match has exactly as many components as there are levels
};

namespace {

/// One visit: the walk from the root down.
class Walk {
 public:
  Walk(const TreeReader& reader, const GlobRegex& whole, const std::vector<GlobLevel>& levels, bool complete,
       const std::function<bool(const GlobMatch&)>& match)
      : reader_(reader), whole_(whole), levels_(levels), complete_(complete), match_(match) {}

  /// Entries of the directory at `path`. Returns false when the callback stopped the walk.
  Result<bool> directory(const RepoPath& path, const Subtree& subtree) {
    const std::size_t depth = path.parts().size();
    if (complete_ && depth >= levels_.size()) return true;
    if (depth < levels_.size() && !levels_[depth].regex) {
      PFS_TRY_ASSIGN(const auto found, reader_.find(subtree.root, levels_[depth].name));
      return found ? entry(path, *found) : true;
    }
    Result<bool> go_on = true;
    PFS_TRY(reader_.scan(subtree.root, {}, [&](const Entry& candidate) {
      go_on = fits(depth, candidate.name);
      if (!go_on) return false;
      go_on = *go_on ? entry(path, candidate) : Result<bool>(true);
      return go_on && *go_on;
    }));
    return go_on;
  }

 private:
  Result<bool> fits(std::size_t depth, std::string_view name) const {
    if (depth >= levels_.size()) return true;
    return levels_[depth].regex->matches(name, nullptr);
  }

  Result<bool> entry(const RepoPath& parent, const Entry& candidate) {
    const RepoPath path = parent.joined(candidate.name);
    if (!complete_ || path.parts().size() == levels_.size()) {
      GlobMatch match{path, candidate, {}};
      PFS_TRY_ASSIGN(const bool found, whole_.matches(path.str(), &match.captures));
      if (found && !match_(match)) return false;
    }
    return candidate.is_directory() ? directory(path, candidate.subtree) : Result<bool>(true);
  }

  const TreeReader& reader_;
  const GlobRegex& whole_;
  const std::vector<GlobLevel>& levels_;
  const bool complete_;
  const std::function<bool(const GlobMatch&)>& match_;
};

}  // namespace

Result<Glob> Glob::parse(std::string_view pattern) {
  auto compiled = std::make_shared<Compiled>();
  compiled->text = pattern;
  while (!pattern.empty() && pattern.front() == '/') pattern.remove_prefix(1);
  while (!pattern.empty() && pattern.back() == '/' && !pattern.ends_with("\\/")) pattern.remove_suffix(1);
  if (pattern.empty()) {
    compiled->root_only = true;
    return Glob(std::move(compiled));
  }
  PFS_TRY_ASSIGN(compiled->whole, GlobRegex::compile("/" + std::string(pattern)));
  GlobComponents split = split_glob(pattern);
  compiled->complete = split.complete;
  for (GlobComponent& component : split.components) {
    GlobLevel level;
    if (component.literal) {
      level.name = std::move(component.pattern);
    } else {
      PFS_TRY_ASSIGN(level.regex, GlobRegex::compile(component.pattern));
    }
    compiled->levels.push_back(std::move(level));
  }
  return Glob(std::move(compiled));
}

const std::string& Glob::str() const { return compiled_->text; }

bool Glob::matches(const RepoPath& path) const {
  if (compiled_->root_only) return path.is_root();
  return !path.is_root() && compiled_->whole->matches(path.str(), nullptr).value_or(false);
}

std::size_t Glob::groups() const { return compiled_->root_only ? 0 : compiled_->whole->groups(); }

Result<void> Glob::visit(const TreeReader& reader, const Subtree& root,
                         const std::function<bool(const GlobMatch&)>& match) const {
  if (compiled_->root_only) {
    GlobMatch whole;
    whole.entry.attributes.kind = Kind::kDirectory;
    whole.entry.attributes.mode = 0755;
    whole.entry.subtree = root;
    match(whole);
    return {};
  }
  Walk walk(reader, *compiled_->whole, compiled_->levels, compiled_->complete, match);
  PFS_TRY(walk.directory(RepoPath(), root));
  return {};
}

}  // namespace pfs::store
