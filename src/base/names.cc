#include "base/names.h"

#include <algorithm>
#include <charconv>

#include <fmt/format.h>

namespace pfs {

namespace {

constexpr std::size_t kMaxRefName = 63;
constexpr std::size_t kMaxEntryName = 255;
constexpr std::size_t kMaxPath = 4096;

bool is_ref_char(char c) {
  return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
}

Result<void> check_ref_name(std::string_view what, std::string_view text) {
  if (text.empty() || text.size() > kMaxRefName || !std::all_of(text.begin(), text.end(), is_ref_char)) {
    return Error{Code::kInvalid, fmt::format("{} '{}': a name is 1 to {} of the characters A-Z a-z 0-9 _ -", what,
                                             printable(text), kMaxRefName)};
  }
  return {};
}

bool is_commit_id(std::string_view text) { return CommitId::from_hex(text).has_value(); }

Result<Ancestry> parse_ancestry(std::string_view suffix) {
  Ancestry ancestry;
  if (suffix.empty()) return ancestry;
  const char first = suffix.front();
  if (first == '.') {
    ancestry.direction = Ancestry::Direction::kFromRoot;
    auto [end, error] = std::from_chars(suffix.data() + 1, suffix.data() + suffix.size(), ancestry.steps);
    if (error != std::errc() || end != suffix.data() + suffix.size() || ancestry.steps == 0) {
      return Error{Code::kInvalid, fmt::format("'{}': after '.' comes a number from 1 on", printable(suffix))};
    }
    return ancestry;
  }
  ancestry.direction = Ancestry::Direction::kBack;
  std::size_t marks = 0;
  while (marks < suffix.size() && suffix[marks] == first) ++marks;
  ancestry.steps = marks;
  if (marks == suffix.size()) return ancestry;
  std::uint64_t number = 0;
  auto [end, error] = std::from_chars(suffix.data() + marks, suffix.data() + suffix.size(), number);
  if (marks != 1 || error != std::errc() || end != suffix.data() + suffix.size()) {
    return Error{Code::kInvalid, fmt::format("'{}': an ancestor is written ^, ^^ or ^N", printable(suffix))};
  }
  ancestry.steps = number;
  return ancestry;
}

}  // namespace

std::string printable(std::string_view bytes) {
  const bool plain = std::all_of(bytes.begin(), bytes.end(), [](char c) { return c >= 0x20 && c < 0x7F; });
  if (plain) return std::string(bytes);
  std::string out;
  std::size_t i = 0;
  while (i < bytes.size()) {
    const auto lead = static_cast<unsigned char>(bytes[i]);
    std::size_t length = lead < 0x80 ? 1 : lead < 0xC2 ? 0 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : lead < 0xF5 ? 4 : 0;
    bool good = length != 0 && i + length <= bytes.size() && !(length == 1 && (lead < 0x20 || lead == 0x7F));
    for (std::size_t k = 1; good && k < length; ++k) {
      good = (static_cast<unsigned char>(bytes[i + k]) & 0xC0U) == 0x80U;
    }
    if (good) {
      out.append(bytes.substr(i, length));
      i += length;
    } else {
      out += fmt::format("\\x{:02x}", lead);
      ++i;
    }
  }
  return out;
}

Result<RepoName> RepoName::parse(std::string_view text) {
  PFS_TRY(check_ref_name("repo", text));
  RepoName name;
  name.text_ = text;
  return name;
}

Result<BranchName> BranchName::parse(std::string_view text) {
  PFS_TRY(check_ref_name("branch", text));
  if (is_commit_id(text)) {
    return Error{Code::kInvalid, fmt::format("branch '{}': 32 hex digits name a commit, not a branch", text)};
  }
  BranchName name;
  name.text_ = text;
  return name;
}

Result<BranchRef> BranchRef::parse(std::string_view text) {
  const auto at = text.find('@');
  if (at == std::string_view::npos) {
    return Error{Code::kInvalid, fmt::format("'{}': a branch is written repo@branch", printable(text))};
  }
  BranchRef ref;
  PFS_TRY_ASSIGN(ref.repo, RepoName::parse(text.substr(0, at)));
  PFS_TRY_ASSIGN(ref.branch, BranchName::parse(text.substr(at + 1)));
  return ref;
}

Result<CommitRef> CommitRef::parse(std::string_view text) {
  const auto at = text.find('@');
  if (at == std::string_view::npos) {
    return Error{Code::kInvalid, fmt::format("'{}': a commit is written repo@branch or repo@id", printable(text))};
  }
  PFS_TRY_ASSIGN(auto repo, RepoName::parse(text.substr(0, at)));
  return parse_in(repo, text.substr(at + 1));
}

Result<CommitRef> CommitRef::parse_in(const RepoName& repo, std::string_view text) {
  CommitRef ref;
  ref.repo = repo;
  const auto name = text.substr(0, text.find_first_of("^~."));
  if (is_commit_id(name)) {
    ref.id = *CommitId::from_hex(name);
  } else {
    PFS_TRY_ASSIGN(ref.branch, BranchName::parse(name));
  }
  PFS_TRY_ASSIGN(ref.ancestry, parse_ancestry(text.substr(name.size())));
  return ref;
}

Result<PipelineRef> PipelineRef::parse(std::string_view text) {
  PipelineRef ref;
  const auto name = text.substr(0, text.find_first_of("^~."));
  PFS_TRY_ASSIGN(ref.name, RepoName::parse(name));
  PFS_TRY_ASSIGN(ref.version, parse_ancestry(text.substr(name.size())));
  return ref;
}

std::string CommitRef::name() const {
  const auto base = branch ? branch->str() : id ? id->hex() : std::string();
  switch (ancestry.direction) {
    case Ancestry::Direction::kNone: break;
    case Ancestry::Direction::kBack: return fmt::format("{}^{}", base, ancestry.steps);
    case Ancestry::Direction::kFromRoot: return fmt::format("{}.{}", base, ancestry.steps);
  }
  return base;
}

Result<void> check_entry_name(std::string_view name) {
  if (name.size() > kMaxEntryName) {
    return Error{Code::kNameTooLong, fmt::format("name '{}…': over {} bytes", printable(name.substr(0, 40)), kMaxEntryName)};
  }
  if (name.empty() || name == "." || name == ".." || name.find('/') != name.npos || name.find('\0') != name.npos) {
    return Error{Code::kInvalid, fmt::format("'{}' cannot be the name of a file", printable(name))};
  }
  return {};
}

Result<RepoPath> RepoPath::parse(std::string_view text) {
  if (text.size() > kMaxPath) {
    return Error{Code::kNameTooLong, fmt::format("path '{}…': over {} bytes", printable(text.substr(0, 40)), kMaxPath)};
  }
  RepoPath path;
  while (!text.empty()) {
    const auto slash = text.find('/');
    const auto part = text.substr(0, slash);
    if (!part.empty()) {
      PFS_TRY(check_entry_name(part));
      path.parts_.emplace_back(part);
    }
    text.remove_prefix(slash == text.npos ? text.size() : slash + 1);
  }
  return path;
}

std::string RepoPath::str() const {
  if (parts_.empty()) return "/";
  std::string text;
  for (const auto& part : parts_) text.append("/").append(part);
  return text;
}

RepoPath RepoPath::parent() const {
  RepoPath path = *this;
  if (!path.parts_.empty()) path.parts_.pop_back();
  return path;
}

RepoPath RepoPath::joined(std::string name) const {
  RepoPath path = *this;
  path.parts_.push_back(std::move(name));
  return path;
}

}  // namespace pfs
