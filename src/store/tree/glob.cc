#include "store/glob.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include <array>

#include <fmt/format.h>

#include "store/tree/glob_syntax.h"

namespace pfs::store {

namespace {

// Bounds what a pattern with many groups may cost on one path.
constexpr std::uint32_t kMatchLimit = 1'000'000;

/// A compiled regular expression. Immutable; thread-safe.
class Regex {
 public:
  static Result<Regex> compile(std::string_view pattern) {
    PFS_TRY_ASSIGN(TranslatedGlob glob, translate_glob(pattern));
    int code = 0;
    PCRE2_SIZE offset = 0;
    pcre2_code* compiled = pcre2_compile(reinterpret_cast<PCRE2_SPTR>(glob.regex.data()), glob.regex.size(), 0, &code,
                                         &offset, nullptr);
    if (compiled == nullptr) {
      std::array<PCRE2_UCHAR, 128> text{};
      pcre2_get_error_message(code, text.data(), text.size());
      return Error{Code::kInvalid,
                   fmt::format("glob '{}': {}", pattern, reinterpret_cast<const char*>(text.data()))};
    }
    return Regex(compiled, std::move(glob.captures));
  }

  std::size_t groups() const { return captures_.size(); }

  /// Whether all of `text` matches; `captures`, unless null, is filled then.
  Result<bool> matches(std::string_view text, std::vector<std::string>* captures) const {
    const std::unique_ptr<pcre2_match_data, decltype(&pcre2_match_data_free)> data(
        pcre2_match_data_create_from_pattern(code_.get(), nullptr), &pcre2_match_data_free);
    const std::unique_ptr<pcre2_match_context, decltype(&pcre2_match_context_free)> context(
        pcre2_match_context_create(nullptr), &pcre2_match_context_free);
    pcre2_set_match_limit(context.get(), kMatchLimit);
    const int found = pcre2_match(code_.get(), reinterpret_cast<PCRE2_SPTR>(text.data()), text.size(), 0, 0, data.get(),
                                  context.get());
    if (found == PCRE2_ERROR_NOMATCH) return false;
    if (found < 0) {
      return Error{Code::kInvalid, fmt::format("'{}' takes too long to match against the glob", printable(text))};
    }
    if (captures != nullptr) {
      const PCRE2_SIZE* offsets = pcre2_get_ovector_pointer(data.get());
      const std::uint32_t count = pcre2_get_ovector_count(data.get());
      for (const std::uint32_t group : captures_) {
        const bool set = group < count && offsets[2 * group] != PCRE2_UNSET;
        captures->push_back(
            set ? std::string(text.substr(offsets[2 * group], offsets[2 * group + 1] - offsets[2 * group])) : "");
      }
    }
    return true;
  }

 private:
  Regex(pcre2_code* code, std::vector<std::uint32_t> captures)
      : code_(code, &pcre2_code_free), captures_(std::move(captures)) {}

  std::unique_ptr<pcre2_code, decltype(&pcre2_code_free)> code_;
  std::vector<std::uint32_t> captures_;
};

/// One level of the walk that need not be read whole.
struct Level {
  std::string name;            ///< when `regex` is not set: the only name that fits
  std::optional<Regex> regex;  ///< names that fit
};

}  // namespace

struct Glob::Compiled {
  std::string text;
  bool root_only = false;
  std::optional<Regex> whole;  ///< against the path with its leading slash
  std::vector<Level> levels;
  bool complete = false;  ///< a match has exactly as many components as there are levels
};

namespace {

/// One visit: the walk from the root down.
class Walk {
 public:
  Walk(const TreeReader& reader, const Regex& whole, const std::vector<Level>& levels, bool complete,
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
  const Regex& whole_;
  const std::vector<Level>& levels_;
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
  PFS_TRY_ASSIGN(compiled->whole, Regex::compile("/" + std::string(pattern)));
  GlobComponents split = split_glob(pattern);
  compiled->complete = split.complete;
  for (GlobComponent& component : split.components) {
    Level level;
    if (component.literal) {
      level.name = std::move(component.pattern);
    } else {
      PFS_TRY_ASSIGN(level.regex, Regex::compile(component.pattern));
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
