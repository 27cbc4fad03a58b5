#include <memory>
#include <optional>

#include "api/client/branches.h"
#include "cli/commands.h"
#include "cli/output.h"

namespace pfs::cli {
namespace {

struct Arguments {
  BranchRef branch;
  std::string head;
  std::optional<RepoName> repo;
  bool force = false;
  client::CommitPolicy policy;
  OutputFlags output;
};

Json json_of(const client::Branch& branch) {
  return {{"repo", branch.repo},
          {"branch", branch.name},
          {"head", branch.head},
          {"open_commit", branch.open_commit},
          {"opened_by_hand", branch.opened_by_hand},
          {"output_of", branch.output_of},
          {"commit", branch.policy.commit},
          {"commit_after", branch.policy.commit_after},
          {"commit_max", branch.policy.commit_max},
          {"created", json_time(branch.created)}};
}

std::string or_dash(const std::string& text) { return text.empty() ? "-" : text; }

/// A setting as it holds, and whether it is the branch's own.
std::string with_origin(const std::string& holds, const std::string& own) {
  return own.empty() && !holds.empty() ? holds + " (default)" : holds;
}

/// --head: a branch or a commit of the same repo, `repo@` in front or not; a bare `^3` or `.2` is
/// of the branch itself.
Result<CommitRef> parse_head(const BranchRef& branch, const std::string& text) {
  const bool of_itself = text.find_first_of("^~.") == 0;
  if (text.find('@') == std::string::npos) {
    return CommitRef::parse_in(branch.repo, of_itself ? branch.branch.str() + text : text);
  }
  PFS_TRY_ASSIGN(auto head, CommitRef::parse(text));
  if (head.repo != branch.repo) {
    return Error{Code::kNotPermitted, "branch " + branch.str() + ": head " + text +
                                          " is of another repo; a HEAD stays in its repo"};
  }
  return head;
}

Result<void> create(Session& session, const Arguments& arguments) {
  std::optional<CommitRef> head;
  if (!arguments.head.empty()) {
    PFS_TRY_ASSIGN(head, parse_head(arguments.branch, arguments.head));
  }
  PFS_TRY_ASSIGN(const auto* connection, session.connection());
  PFS_TRY(client::Branches(*connection).create(arguments.branch, head));
  return {};
}

Result<void> list(Session& session, const Arguments& arguments) {
  PFS_TRY_ASSIGN(const auto* connection, session.connection());
  PFS_TRY_ASSIGN(const auto branches, client::Branches(*connection).list(arguments.repo));
  Listing listing(arguments.output, session.terminal(), {"BRANCH", "HEAD", "TRIGGER"});
  for (const auto& branch : branches) {
    if (listing.json()) {
      listing.add_object(json_of(branch));
      continue;
    }
    const auto name = arguments.repo ? branch.name : branch.repo + "@" + branch.name;
    const std::string trigger = "-";  // no branch can be given one yet
    listing.add_row({name, or_dash(branch.head), trigger});
  }
  return {};
}

Result<void> inspect(Session& session, const Arguments& arguments) {
  PFS_TRY_ASSIGN(const auto* connection, session.connection());
  PFS_TRY_ASSIGN(const auto branch, client::Branches(*connection).inspect(arguments.branch));
  if (arguments.output.json()) {
    print_object(arguments.output, json_of(branch));
    return {};
  }
  print_labels({{"Name", branch.repo + "@" + branch.name},
                {"Head Commit", branch.head},
                {"Open Commit", branch.open_commit},
                {"Opened By Hand", branch.opened_by_hand ? "yes" : ""},
                {"Output Of", branch.output_of},
                {"Commit", with_origin(branch.policy.commit, branch.own_policy.commit)},
                {"Commit After",
                 with_origin(branch.policy.commit_after, branch.own_policy.commit_after)},
                {"Commit Max", with_origin(branch.policy.commit_max, branch.own_policy.commit_max)},
                {"Created", arguments.output.time(branch.created)}});
  return {};
}

Result<void> update(Session& session, const Arguments& arguments) {
  const auto& policy = arguments.policy;
  if (policy.commit.empty() && policy.commit_after.empty() && policy.commit_max.empty()) {
    return Error{Code::kInvalid, "branch " + arguments.branch.str() +
                                     ": say what to change: --commit, --commit-after or "
                                     "--commit-max"};
  }
  PFS_TRY_ASSIGN(const auto* connection, session.connection());
  PFS_TRY(client::Branches(*connection).update(arguments.branch, policy));
  return {};
}

Result<void> remove(Session& session, const Arguments& arguments) {
  PFS_TRY_ASSIGN(const auto* connection, session.connection());
  return client::Branches(*connection).remove(arguments.branch, arguments.force);
}

}  // namespace

void add_branch_commands(Grammar& grammar, Session& session) {
  const auto arguments = std::make_shared<Arguments>();
  auto& creates = grammar.command("create", "branch", "Make a branch, or move its HEAD",
                                  [&session, arguments] { return create(session, *arguments); });
  add_parsed(creates, "branch", arguments->branch, "repo@branch")->required();
  creates.add_option("--head", arguments->head,
                     "A branch or commit of the same repo: staging, staging^3, staging.1, an id");

  auto& lists = grammar.command("list", "branch", "List branches, newest first",
                                [&session, arguments] { return list(session, *arguments); });
  add_parsed(lists, "repo", arguments->repo, "Of this repo only");
  add_output_flags(lists, arguments->output);

  auto& inspects = grammar.command("inspect", "branch", "Show a branch",
                                   [&session, arguments] { return inspect(session, *arguments); });
  add_parsed(inspects, "branch", arguments->branch, "repo@branch")->required();
  add_output_flags(inspects, arguments->output);

  auto& updates = grammar.command("update", "branch", "Change when commits are made of a branch",
                                  [&session, arguments] { return update(session, *arguments); });
  add_parsed(updates, "branch", arguments->branch, "repo@branch")->required();
  auto& policy = arguments->policy;
  updates
      .add_option("--commit", policy.commit,
                  "auto: when it is quiet; close: at each file's last close, too; manual: on "
                  "request only; default: as the daemon says")
      ->check(CLI::IsMember({"auto", "close", "manual", "default"}));
  updates.add_option("--commit-after", policy.commit_after,
                     "Quiet is so long without a change: 500ms, 5s, 2m, or default");
  updates.add_option("--commit-max", policy.commit_max,
                     "Commit after so long without quiet, leaving out files being written; 0: "
                     "never; or default");

  auto& removes = grammar.command("delete", "branch", "Delete a branch; its commits stay",
                                  [&session, arguments] { return remove(session, *arguments); });
  add_parsed(removes, "branch", arguments->branch, "repo@branch")->required();
  removes.add_flag("-f,--force", arguments->force,
                   "Also while a commit that was started by hand is open");
}

}  // namespace pfs::cli
