#include <memory>

#include <fmt/format.h>

#include "api/client/commits.h"
#include "cli/commands.h"
#include "cli/file_ref.h"
#include "cli/format.h"
#include "cli/output.h"

namespace pfs::cli {
namespace {

struct Arguments {
  BranchRef branch;
  CommitRef commit;
  RepoOrBranch scope;
  std::string description;
  std::uint64_t number = 0;
  OutputFlags output;
};

Json json_of(const client::Commit& commit) {
  Json provenance = Json::array();
  for (const auto& cause : commit.provenance) {
    provenance.push_back(
        {{"repo", cause.repo}, {"branch", cause.branch}, {"commit", cause.commit}});
  }
  return {{"repo", commit.repo},
          {"branch", commit.branch},
          {"commit", commit.id},
          {"parent", commit.parent},
          {"started", json_time(commit.started)},
          {"finished", json_time(commit.finished)},
          {"by_hand", commit.by_hand},
          {"size_bytes", commit.size},
          {"files", commit.files},
          {"author", commit.author},
          {"description", commit.description},
          {"provenance", provenance},
          {"jobs",
           {{"succeeded", commit.jobs_succeeded},
            {"pending", commit.jobs_pending},
            {"failed", commit.jobs_failed}}}};
}

/// Eight cells for the jobs downstream of a commit: done, failed, still to come.
Cell progress_of(const client::Commit& commit) {
  constexpr std::uint64_t kCells = 8;
  const auto total = commit.jobs_succeeded + commit.jobs_pending + commit.jobs_failed;
  if (total == 0) return Cell("-");
  const auto done = commit.jobs_succeeded * kCells / total;
  const auto ended = (commit.jobs_succeeded + commit.jobs_failed) * kCells / total;
  std::string bar;
  for (std::uint64_t i = 0; i < kCells; ++i) bar += i < done ? "▇" : i < ended ? "✗" : "░";
  const auto colour = commit.jobs_failed != 0    ? Colour::kRed
                      : commit.jobs_pending != 0 ? Colour::kYellow
                                                 : Colour::kGreen;
  return Cell(bar, colour);
}

Result<void> start(Session& session, const Arguments& arguments) {
  PFS_TRY_ASSIGN(const auto* connection, session.connection());
  PFS_TRY_ASSIGN(const auto id,
                 client::Commits(*connection).start(arguments.branch, arguments.description));
  fmt::print("{}\n", id);
  return {};
}

Result<void> finish(Session& session, const Arguments& arguments) {
  PFS_TRY_ASSIGN(const auto* connection, session.connection());
  PFS_TRY(client::Commits(*connection).finish(arguments.commit, arguments.description));
  return {};
}

Result<void> list(Session& session, const Arguments& arguments) {
  PFS_TRY_ASSIGN(const auto* connection, session.connection());
  const auto& scope = arguments.scope;
  PFS_TRY_ASSIGN(const auto commits,
                 client::Commits(*connection).list(scope.repo, scope.branch, arguments.number));
  Listing listing(arguments.output, session.terminal(),
                  {"REPO", "BRANCH", "COMMIT", "FINISHED", "SIZE", "PROGRESS", "DESCRIPTION"});
  for (const auto& commit : commits) {
    if (listing.json()) {
      listing.add_object(json_of(commit));
      continue;
    }
    const auto finished = commit.finished  ? arguments.output.time(*commit.finished)
                          : commit.by_hand ? "- (started by hand)"
                                           : "-";
    const auto size = commit.finished ? format_size(commit.size) : "-";
    listing.add_row({commit.repo, commit.branch, commit.id, finished, size, progress_of(commit),
                     commit.description});
  }
  return {};
}

Result<void> inspect(Session& session, const Arguments& arguments) {
  PFS_TRY_ASSIGN(const auto* connection, session.connection());
  PFS_TRY_ASSIGN(const auto commit, client::Commits(*connection).inspect(arguments.commit));
  if (arguments.output.json()) {
    print_object(arguments.output, json_of(commit));
    return {};
  }
  std::string provenance;
  for (const auto& cause : commit.provenance) {
    provenance += fmt::format("{}{}@{} ({})", provenance.empty() ? "" : " ", cause.repo,
                              cause.commit, cause.branch);
  }
  print_labels({{"Commit", commit.repo + "@" + commit.id},
                {"Original Branch", commit.branch},
                {"Description", commit.description},
                {"Author", commit.author},
                {"Parent", commit.parent},
                {"Started", arguments.output.time(commit.started)},
                {"Finished", commit.finished ? arguments.output.time(*commit.finished) : "-"},
                {"Started By Hand", commit.by_hand ? "yes; ends with finish commit only" : ""},
                {"Size", commit.finished ? format_size(commit.size) : "-"},
                {"Provenance", provenance}});
  return {};
}

}  // namespace

void add_commit_commands(Grammar& grammar, Session& session) {
  const auto arguments = std::make_shared<Arguments>();
  auto& starts = grammar.command("start", "commit",
                                 "Open a commit that ends with 'finish commit'; prints its id",
                                 [&session, arguments] { return start(session, *arguments); });
  add_parsed(starts, "branch", arguments->branch, "repo@branch")->required();
  starts.add_option("-m,--message,--description", arguments->description, "What it is about");

  auto& finishes = grammar.command("finish", "commit", "Finish a branch's open commit now",
                                   [&session, arguments] { return finish(session, *arguments); });
  add_parsed(finishes, "commit", arguments->commit, "repo@branch, or repo@id of an open commit")
      ->required();
  finishes.add_option("-m,--message,--description", arguments->description, "What it is about");

  auto& lists = grammar.command("list", "commit", "List commits, newest first",
                                [&session, arguments] { return list(session, *arguments); });
  add_parsed(lists, "repo", arguments->scope, "repo, or repo@branch")->required();
  lists.add_option("-n,--number", arguments->number, "At most so many");
  add_output_flags(lists, arguments->output);

  auto& inspects = grammar.command("inspect", "commit", "Show a commit",
                                   [&session, arguments] { return inspect(session, *arguments); });
  add_parsed(inspects, "commit", arguments->commit, "repo@branch or repo@id, with ^N or .N")
      ->required();
  add_output_flags(inspects, arguments->output);
}

}  // namespace pfs::cli
