#include "fs/head_links.h"

#include <fmt/format.h>

namespace pfs::fs {

namespace {

constexpr std::chrono::seconds kKept{60};
constexpr std::size_t kMaxPassing = 1024;

std::string_view without_trailing_slashes(std::string_view text) {
  while (!text.empty() && text.back() == '/') text.remove_suffix(1);
  return text;
}

std::string_view last_part(std::string_view path) {
  path = without_trailing_slashes(path);
  const auto slash = path.rfind('/');
  return slash == path.npos ? path : path.substr(slash + 1);
}

// The forms in which ln hands its source on: as typed from the mount's root, by `-r`, or absolute.
bool names_itself(std::string_view name, std::string_view body) {
  body = without_trailing_slashes(body);
  if (body == name) return true;
  if (body == fmt::format("../{}", name)) return true;
  return body.starts_with('/') && last_part(body) == name;
}

}  // namespace

bool is_reserved_at_top(const BranchRef& branch, std::string_view name) {
  return name == ".pfs" || name.starts_with(branch.repo.str() + "@");
}

Result<std::optional<CommitRef>> retarget_by_symlink(const BranchRef& branch, std::string_view name,
                                                     std::string_view body) {
  const bool itself = names_itself(name, body);
  if (is_reserved_at_top(branch, name)) {
    if (!itself) {
      return Error{
          Code::kNotPermitted,
          fmt::format("{}: names beginning with {}@ are for moving HEAD, as in `ln -s {} /pfs/{}`",
                      printable(name), branch.repo.str(), printable(name), branch.str())};
    }
    PFS_TRY_ASSIGN(auto ref, CommitRef::parse(name));
    return std::optional(ref);
  }
  if (itself && name.find('@') != name.npos) {
    if (auto ref = CommitRef::parse(name)) {
      return Error{Code::kNotPermitted,
                   fmt::format("HEAD of {} cannot come from {}", branch.str(), ref->repo.str())};
    }
  }
  return std::optional<CommitRef>();
}

Result<CommitRef> ref_of_pointer(const BranchRef& branch, std::string_view body) {
  PFS_TRY_ASSIGN(auto ref, CommitRef::parse(last_part(body)));
  if (ref.repo != branch.repo) {
    return Error{Code::kNotPermitted,
                 fmt::format("HEAD of {} cannot come from {}", branch.str(), ref.repo.str())};
  }
  return ref;
}

Result<void> PassingLinks::put(NodeId directory, std::string_view name, std::string body) {
  Lock lock(mutex_);
  if (!make_room())
    return Error{Code::kNoSpace, fmt::format("{}: too many temporary links", printable(name))};
  links_[{directory, std::string(name)}] = {std::move(body), 0, std::chrono::steady_clock::now()};
  return {};
}

std::optional<std::string> PassingLinks::body(NodeId directory, std::string_view name) const {
  Lock lock(mutex_);
  const Passing* link = find(directory, name);
  if (!link || link->hidden_from != 0) return std::nullopt;
  return link->body;
}

void PassingLinks::remove(NodeId directory, std::string_view name) {
  Lock lock(mutex_);
  links_.erase({directory, std::string(name)});
}

void PassingLinks::hide(NodeId directory, std::string_view name, std::int32_t pid) {
  Lock lock(mutex_);
  if (!make_room()) return;
  links_[{directory, std::string(name)}] = {{}, pid, std::chrono::steady_clock::now()};
}

bool PassingLinks::is_hidden_from(NodeId directory, std::string_view name, std::int32_t pid) const {
  Lock lock(mutex_);
  const Passing* link = find(directory, name);
  return link && link->hidden_from != 0 && link->hidden_from == pid;
}

const PassingLinks::Passing* PassingLinks::find(NodeId directory, std::string_view name) const {
  auto it = links_.find({directory, std::string(name)});
  if (it == links_.end() || std::chrono::steady_clock::now() - it->second.since > kKept)
    return nullptr;
  return &it->second;
}

bool PassingLinks::make_room() {
  if (links_.size() < kMaxPassing) return true;
  std::erase_if(links_, [](const auto& link) {
    return std::chrono::steady_clock::now() - link.second.since > kKept;
  });
  return links_.size() < kMaxPassing;
}

}  // namespace pfs::fs
