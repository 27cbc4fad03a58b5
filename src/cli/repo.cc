#include <memory>
#include <optional>

#include "api/client/repos.h"
#include "cli/commands.h"
#include "cli/confirm.h"
#include "cli/format.h"
#include "cli/output.h"

namespace pfs::cli {
namespace {

struct Arguments {
  RepoName name;
  std::optional<RepoName> one;
  std::string filter;
  std::string description;
  bool all = false;
  bool force = false;
  bool yes = false;
  bool split = false;
  OutputFlags output;
};

Json json_of(const client::Repo& repo) {
  return {{"name", repo.name},
          {"description", repo.description},
          {"created", json_time(repo.created)},
          {"master_size_bytes", repo.master_size}};
}

Result<void> create(Session& session, const Arguments& arguments) {
  auto created = session.change([&](const client::Connection& connection) {
    return client::Repos(connection).create(arguments.name, arguments.description);
  });
  if (created || created.error().code != Code::kExists) return created;
  auto error = std::move(created).error();
  error.message += "; 'pfs update repo' changes its description";
  return error;
}

Result<void> update(Session& session, const Arguments& arguments) {
  return session.change([&](const client::Connection& connection) {
    return client::Repos(connection).update(arguments.name, arguments.description);
  });
}

Result<void> check_removed(const Arguments& arguments) {
  if (arguments.all != arguments.one.has_value()) return {};
  return Error{Code::kInvalid,
               "name one repo, as delete repo NAME, or all, as delete repo --all"};
}

Result<void> remove(Session& session, const Arguments& arguments) {
  const auto what = arguments.all ? std::string("all repos") : "repo " + arguments.one->str();
  PFS_TRY(confirm(what + " will be deleted, with all branches and commits.", arguments.yes));
  return session.change([&](const client::Connection& connection) {
    const client::Repos repos(connection);
    return arguments.all ? repos.remove_all(arguments.force)
                         : repos.remove(*arguments.one, arguments.force);
  });
}

Result<void> list(Session& session, const Arguments& arguments) {
  PFS_TRY_ASSIGN(const auto* connection, session.connection());
  PFS_TRY_ASSIGN(const auto repos, client::Repos(*connection).list());
  Listing listing(arguments.output, session.terminal(),
                  {"NAME", "CREATED", "SIZE (MASTER)", "DESCRIPTION"});
  for (const auto& repo : repos) {
    if (repo.name.find(arguments.filter) == std::string::npos) continue;
    if (listing.json()) {
      listing.add_object(json_of(repo));
    } else {
      listing.add_row({repo.name, arguments.output.time(repo.created),
                       format_size(repo.master_size), repo.description});
    }
  }
  return {};
}

Result<void> inspect(Session& session, const Arguments& arguments) {
  PFS_TRY_ASSIGN(const auto* connection, session.connection());
  PFS_TRY_ASSIGN(const auto repo, client::Repos(*connection).inspect(arguments.name));
  if (arguments.output.json()) {
    print_object(arguments.output, json_of(repo));
    return {};
  }
  print_labels({{"Name", repo.name},
                {"Description", repo.description},
                {"Created", arguments.output.time(repo.created)},
                {"Size of HEAD on master", format_size(repo.master_size)}});
  return {};
}

}  // namespace

void add_repo_commands(Grammar& grammar, Session& session) {
  const auto arguments = std::make_shared<Arguments>();  // shared by the actions, of which one runs
  auto& creates = grammar.command("create", "repo", "Make a repo",
                                  [&session, arguments] { return create(session, *arguments); });
  add_parsed(creates, "repo", arguments->name, "Its name")->required();
  creates.add_option("-d,--description", arguments->description, "What it is for");

  auto& lists = grammar.command("list", "repo", "List repos, newest first",
                                [&session, arguments] { return list(session, *arguments); });
  lists.add_option("name", arguments->filter, "Only those with this in their names");
  add_output_flags(lists, arguments->output);

  auto& inspects = grammar.command("inspect", "repo", "Show a repo",
                                   [&session, arguments] { return inspect(session, *arguments); });
  add_parsed(inspects, "repo", arguments->name, "Its name")->required();
  add_output_flags(inspects, arguments->output);

  auto& updates = grammar.command("update", "repo", "Change a repo's description",
                                  [&session, arguments] { return update(session, *arguments); });
  add_parsed(updates, "repo", arguments->name, "Its name")->required();
  updates.add_option("-d,--description", arguments->description, "What it is for")->required();

  auto& removes = grammar.command("delete", "repo", "Delete a repo with its branches and commits",
                                  [&session, arguments] { return remove(session, *arguments); },
                                  [arguments] { return check_removed(*arguments); });
  add_parsed(removes, "repo", arguments->one, "Its name");
  removes.add_flag("--all", arguments->all, "All repos");
  removes.add_flag("-f,--force", arguments->force,
                   "Also while a pipeline reads it, or a branch of another repo is made from it");
  removes.add_flag("--yes", arguments->yes, "Do not ask");
  removes.add_flag("--split-txn", arguments->split,
                   "For pachctl's scripts: of no effect, one transaction holds a repo of any size");
}

}  // namespace pfs::cli
