#include <memory>

#include "api/client/repos.h"
#include "cli/commands.h"
#include "cli/format.h"
#include "cli/output.h"

namespace pfs::cli {
namespace {

struct Arguments {
  RepoName name;
  std::string description;
  OutputFlags output;
};

Json json_of(const client::Repo& repo) {
  return {{"name", repo.name},
          {"description", repo.description},
          {"created", json_time(repo.created)},
          {"master_size_bytes", repo.master_size}};
}

Result<void> create(Session& session, const Arguments& arguments) {
  PFS_TRY_ASSIGN(const auto* connection, session.connection());
  return client::Repos(*connection).create(arguments.name, arguments.description);
}

Result<void> list(Session& session, const Arguments& arguments) {
  PFS_TRY_ASSIGN(const auto* connection, session.connection());
  PFS_TRY_ASSIGN(const auto repos, client::Repos(*connection).list());
  Listing listing(arguments.output, session.terminal(),
                  {"NAME", "CREATED", "SIZE (MASTER)", "DESCRIPTION"});
  for (const auto& repo : repos) {
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
  add_output_flags(lists, arguments->output);

  auto& inspects = grammar.command("inspect", "repo", "Show a repo",
                                   [&session, arguments] { return inspect(session, *arguments); });
  add_parsed(inspects, "repo", arguments->name, "Its name")->required();
  add_output_flags(inspects, arguments->output);
}

}  // namespace pfs::cli
