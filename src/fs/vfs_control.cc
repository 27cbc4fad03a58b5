#include <utility>

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "base/fault.h"
#include "fs/control_text.h"
#include "fs/user_name.h"
#include "fs/vfs.h"

namespace pfs::fs {

namespace {

constexpr std::size_t kMaxMessage = 64 * 1024;
constexpr std::size_t kLogLines = 10'000;

}  // namespace

Result<void> Vfs::retarget(const Caller& caller, const BranchRef& branch, const CommitRef& target) {
  PFS_TRY(check_may_read(caller, target));
  auto moved = catalog_.retarget(branch, target);
  if (!moved) return std::move(moved).error().within(branch.str());
  // an untrusted tree can carry the link that did it: say who made it
  if (*moved)
    spdlog::info("{}: HEAD moved to {} by {} (pid {})", branch.str(), target.str(),
                 name_of_user(caller.uid), caller.pid);
  PFS_FAULT_POINT("fs.retarget.before_answer");
  return {};
}

void Vfs::park_retarget(const Caller& caller, const BranchRef& branch, const CommitRef& target,
                        const InodePtr& directory, std::string name, std::string body,
                        Done<NameReply> done) {
  park(caller, [this, caller, branch, target, directory,
                 name = std::move(name), body = std::move(body), done = std::move(done)] {
    if (auto moved = retarget(caller, branch, target); !moved)
      return done(std::move(moved).error());
    done(passing_link(*directory, name, body));
  });
}

Result<NameReply> Vfs::passing_link(const Inode& directory, std::string_view name,
                                    std::string body) {
  Found found;
  found.role = Role::kPassingLink;
  found.text = std::move(body);
  return remember(directory, name, found);
}

std::optional<BranchRef> Vfs::branch_of_pointer(const Inode& directory,
                                                std::string_view name) const {
  if (directory.what.role == Role::kBranchControl) {
    if (name == "HEAD") return directory.what.branch;
    return std::nullopt;
  }
  auto ref = BranchRef::parse(name);
  if (!ref || !catalog_.branch(*ref)) return std::nullopt;
  return *ref;
}

void Vfs::make_head_link(const Caller& caller, const InodePtr& directory, std::string_view name,
                         std::string_view body, Done<NameReply> done) {
  const auto branch = branch_of_pointer(*directory, name);
  if (!branch) {
    auto put = passing_links_.put(directory->id, name, std::string(body));
    if (!put) return done(std::move(put).error());
    return done(passing_link(*directory, name, std::string(body)));
  }
  if (!passing_links_.is_hidden_from(directory->id, name, caller.pid)) {
    return done(Error{Code::kExists, where(*directory, name) + ": there already; use ln -sfn"});
  }
  if (auto may = check_may_write(caller, *branch); !may) return done(std::move(may).error());
  auto target = ref_of_pointer(*branch, body);
  if (!target) return done(std::move(target).error());
  passing_links_.remove(directory->id, name);
  park_retarget(caller, *branch, *target, directory, std::string(name), std::string(body),
                std::move(done));
}

Result<void> Vfs::remove_head_link(const Caller& caller, const Inode& directory,
                                   std::string_view name) {
  if (passing_links_.body(directory.id, name)) {
    passing_links_.remove(directory.id, name);
    return {};
  }
  const auto branch = branch_of_pointer(directory, name);
  if (!branch) return Error{Code::kNotPermitted, where(directory, name) + ": cannot be removed"};
  passing_links_.hide(directory.id, name, caller.pid);
  return {};
}

void Vfs::rename_head_link(const Caller& caller, const Inode& directory, std::string_view from,
                           std::string_view to, Done<void> done) {
  const auto body = passing_links_.body(directory.id, from);
  const auto branch = branch_of_pointer(directory, to);
  if (!body || !branch) {
    return done(
        Error{Code::kNotPermitted,
              where(directory, to) + ": only a link that replaces a HEAD can be moved there"});
  }
  if (auto may = check_may_write(caller, *branch); !may) return done(std::move(may).error());
  auto target = ref_of_pointer(*branch, *body);
  if (!target) return done(std::move(target).error());
  park(caller, [this, caller, directory = directory.id,
                 from = std::string(from), branch = *branch, target = *target,
                 done = std::move(done)] {
    auto moved = retarget(caller, branch, target);
    if (moved) passing_links_.remove(directory, from);
    done(std::move(moved));
  });
}

void Vfs::finish_by_message(const Caller& caller, const BranchRef& branch, std::string_view message,
                            Done<std::size_t> done) {
  if (message.size() > kMaxMessage) {
    return done(Error{Code::kTooLarge,
                      fmt::format("{}: a message over {} bytes", branch.str(), kMaxMessage)});
  }
  if (auto may = check_may_write(caller, branch); !may) return done(std::move(may).error());
  park(caller, [this, uid = caller.uid, branch, message = std::string(message),
                 done = std::move(done)] {
    store::FinishOptions options;
    options.author = name_of_user(uid);
    options.description = description_of_message(message);
    auto finished = catalog_.finish(branch, options);
    if (!finished) return done(std::move(finished).error().within(branch.str()));
    done(message.size());
  });
}

Result<std::string> Vfs::control_text(const Inode& inode) {
  const BranchRef& ref = inode.what.branch;
  if (inode.what.role == Role::kLogFile) {
    PFS_TRY_ASSIGN(auto entries, catalog_.log(ref, kLogLines));
    return text_of_log(entries);
  }
  PFS_TRY_ASSIGN(auto branch, catalog_.branch(ref));
  PFS_TRY_ASSIGN(auto open, catalog_.open_commit(ref));
  return text_of_open_commit(branch, open);
}

}  // namespace pfs::fs
