#include <memory>
#include <optional>
#include <vector>

#include "api/client/branches.h"
#include "base/duration.h"
#include "cli/commands.h"
#include "cli/head_ref.h"
#include "cli/output.h"

namespace pfs::cli {
namespace {

struct Arguments {
  BranchRef branch;
  HeadRef head;
  std::vector<BranchRef> provenance;
  client::BranchTrigger trigger;
  std::optional<RepoName> repo;
  bool force = false;
  client::CommitPolicy policy;
  OutputFlags output;
};

Json trigger_json(const std::optional<client::BranchTrigger>& trigger) {
  if (!trigger) return nullptr;
  return {{"branch", trigger->branch},
          {"cron", trigger->cron},
          {"size", trigger->size},
          {"commits", trigger->commits},
          {"all", trigger->all}};
}

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
          {"provenance", branch.provenance},
          {"trigger", trigger_json(branch.trigger)},
          {"created", json_time(branch.created)}};
}

std::string or_dash(const std::string& text) { return text.empty() ? "-" : text; }

/// A setting as it holds, and whether it is the branch's own.
std::string with_origin(const std::string& holds, const std::string& own) {
  return own.empty() && !holds.empty() ? holds + " (default)" : holds;
}

Result<void> check_trigger(const Arguments& arguments) {
  const auto& trigger = arguments.trigger;
  if (!trigger.branch.empty()) {
    PFS_TRY(BranchName::parse(trigger.branch));
    return {};
  }
  if (trigger.cron.empty() && trigger.size.empty() && trigger.commits == 0 && !trigger.all)
    return {};
  return Error{Code::kInvalid,
               "branch " + arguments.branch.str() +
                   ": --trigger-cron, --trigger-size, --trigger-commits and --trigger-all need the "
                   "branch that they are about; add --trigger BRANCH"};
}

/// Schedules and sizes are read by the daemon alone, which names the flag when it cannot.
bool is_of_condition(const Error& error) {
  const auto says = [&error](const char* flag) { return error.message.find(flag) != std::string::npos; };
  return error.code == Code::kInvalid && (says("trigger-cron: ") || says("trigger-size: "));
}

Result<void> create(Session& session, const Arguments& arguments) {
  client::BranchSettings settings;
  PFS_TRY_ASSIGN(settings.head, arguments.head.of(arguments.branch));
  settings.provenance = arguments.provenance;
  if (!arguments.trigger.branch.empty()) settings.trigger = arguments.trigger;
  return session.change([&](const client::Connection& connection) -> Result<void> {
    const auto created = client::Branches(connection).create(arguments.branch, settings);
    if (created) return {};
    if (is_of_condition(created.error())) session.blame_arguments();
    return created.error();
  });
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
    listing.add_row(
        {name, or_dash(branch.head), branch.trigger ? branch.trigger->text : std::string("-")});
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
  std::string provenance;
  for (const auto& upstream : branch.provenance) {
    provenance += (provenance.empty() ? "" : " ") + upstream;
  }
  print_labels(
      {{"Name", branch.repo + "@" + branch.name},
       {"Head Commit", branch.head},
       {"Provenance", provenance},
       {"Trigger", branch.trigger ? branch.trigger->text : ""},
       {"Open Commit", branch.open_commit},
       {"Opened By Hand", branch.opened_by_hand ? "yes" : ""},
       {"Output Of", branch.output_of},
       {"Commit", with_origin(branch.policy.commit, branch.own_policy.commit)},
       {"Commit After", with_origin(branch.policy.commit_after, branch.own_policy.commit_after)},
       {"Commit Max", with_origin(branch.policy.commit_max, branch.own_policy.commit_max)},
       {"Created", arguments.output.time(branch.created)}});
  return {};
}

std::string trouble_with_length(const std::string& text) {
  if (text == "default") return {};
  const auto parsed = parse_duration(text);
  return parsed ? std::string() : parsed.error().message;
}

Result<void> check_policy(const Arguments& arguments) {
  const auto& policy = arguments.policy;
  if (!policy.commit.empty() || !policy.commit_after.empty() || !policy.commit_max.empty())
    return {};
  return Error{Code::kInvalid, "branch " + arguments.branch.str() +
                                   ": say what to change: --commit, --commit-after or "
                                   "--commit-max"};
}

Result<void> update(Session& session, const Arguments& arguments) {
  PFS_TRY(session.refuse_in_transaction("update branch"));
  PFS_TRY_ASSIGN(const auto* connection, session.connection());
  PFS_TRY(client::Branches(*connection).update(arguments.branch, arguments.policy));
  return {};
}

Result<void> remove(Session& session, const Arguments& arguments) {
  return session.change([&](const client::Connection& connection) {
    return client::Branches(connection).remove(arguments.branch, arguments.force);
  });
}

}  // namespace

void add_branch_commands(Grammar& grammar, Session& session) {
  const auto arguments = std::make_shared<Arguments>();
  auto& creates = grammar.command("create", "branch", "Make a branch, or move its HEAD",
                                  [&session, arguments] { return create(session, *arguments); },
                                  [arguments] { return check_trigger(*arguments); });
  add_parsed(creates, "branch", arguments->branch, "repo@branch")->required();
  add_parsed(creates, "--head", arguments->head,
             "A branch or commit of the same repo: staging, staging^3, staging.1, an id");
  add_parsed(creates, "-p,--provenance", arguments->provenance,
             "A branch that its content is made from: repo@branch; several with commas, or by several -p")
      ->delimiter(',')
      ->allow_extra_args(false);
  auto& trigger = arguments->trigger;
  creates.add_option("-t,--trigger", trigger.branch,
                     "The branch of the same repo that HEAD follows, when:");
  creates.add_option("--trigger-cron", trigger.cron,
                     "the schedule says so: '0 3 * * *', @daily, '@every 10m'");
  creates.add_option("--trigger-size", trigger.size, "it has so many bytes more: 1MB, 512KiB");
  add_number(creates, "--trigger-commits", trigger.commits, "it has so many commits more");
  creates.add_flag("--trigger-all", trigger.all, "all of that holds; else one is enough");

  auto& lists = grammar.command("list", "branch", "List branches, newest first",
                                [&session, arguments] { return list(session, *arguments); });
  add_parsed(lists, "repo", arguments->repo, "Of this repo only");
  add_output_flags(lists, arguments->output);

  auto& inspects = grammar.command("inspect", "branch", "Show a branch",
                                   [&session, arguments] { return inspect(session, *arguments); });
  add_parsed(inspects, "branch", arguments->branch, "repo@branch")->required();
  add_output_flags(inspects, arguments->output);

  auto& updates = grammar.command("update", "branch", "Change when commits are made of a branch",
                                  [&session, arguments] { return update(session, *arguments); },
                                  [arguments] { return check_policy(*arguments); });
  add_parsed(updates, "branch", arguments->branch, "repo@branch")->required();
  auto& policy = arguments->policy;
  updates
      .add_option("--commit", policy.commit,
                  "auto: when it is quiet; close: at each file's last close, too; manual: on "
                  "request only; default: as the daemon says")
      ->check(CLI::IsMember({"auto", "close", "manual", "default"}));
  updates
      .add_option("--commit-after", policy.commit_after,
                  "Quiet is so long without a change: 500ms, 5s, 2m, or default")
      ->check(trouble_with_length);
  updates
      .add_option("--commit-max", policy.commit_max,
                  "Commit after so long without quiet, leaving out files being written; 0: "
                  "never; or default")
      ->check(trouble_with_length);

  auto& removes = grammar.command("delete", "branch", "Delete a branch; its commits stay",
                                  [&session, arguments] { return remove(session, *arguments); });
  add_parsed(removes, "branch", arguments->branch, "repo@branch")->required();
  removes.add_flag(
      "-f,--force", arguments->force,
      "Also while a commit that was started by hand is open, a pipeline reads or writes "
      "it, or another branch is made from it");
}

}  // namespace pfs::cli
