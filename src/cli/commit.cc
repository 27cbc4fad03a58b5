#include <algorithm>
#include <iterator>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "api/client/branches.h"
#include "api/client/commits.h"
#include "api/client/repos.h"
#include "cli/commands.h"
#include "cli/file_ref.h"
#include "cli/format.h"
#include "cli/head_ref.h"
#include "cli/output.h"

namespace pfs::cli {
namespace {

/// Whose commits are listed: a repo's, a branch's, or a commit's history.
struct Listed {
  RepoOrBranch scope;
  std::optional<CommitRef> of;

  static Result<Listed> parse(std::string_view text) {
    auto of = CommitRef::parse(text);
    if (of && (of->id || of->ancestry.direction != Ancestry::Direction::kNone))
      return Listed{{of->repo, std::nullopt}, *of};
    if (text.find_first_of("^~") != text.npos) return std::move(of).error();
    PFS_TRY_ASSIGN(auto scope, RepoOrBranch::parse(text));
    return Listed{std::move(scope), std::nullopt};
  }
};

/// A commit that is deleted: an id needs no repo in front.
struct Deleted {
  std::optional<CommitRef> ref;
  CommitId id;  ///< where there is no ref

  static Result<Deleted> parse(std::string_view text) {
    Deleted deleted;
    if (text.find('@') == text.npos) {
      PFS_TRY_ASSIGN(deleted.id, CommitId::from_hex(text));
    } else {
      PFS_TRY_ASSIGN(deleted.ref, CommitRef::parse(text));
    }
    return deleted;
  }
};

struct Arguments {
  BranchRef branch;
  CommitRef commit;
  RepoOrBranch scope;
  std::optional<Listed> listed;  // none: all repos
  std::string description;
  HeadRef parent;
  Deleted deleted;
  HeadRef from;
  std::vector<CommitRef> commits;
  std::vector<RepoName> repos;
  std::string pipeline;
  bool new_only = false;
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

Result<void> check_branch_named(const Arguments& arguments) {
  if (arguments.scope.branch) return {};
  return Error{
      Code::kInvalid,
      fmt::format("repo {0}: a commit is made on a branch; say which: start commit {0}@master",
                  arguments.scope.repo.str())};
}

Result<void> start(Session& session, const Arguments& arguments) {
  const BranchRef branch{arguments.scope.repo, *arguments.scope.branch};
  PFS_TRY_ASSIGN(const auto parent, arguments.parent.of(branch));
  return session.change([&](const client::Connection& connection) -> Result<void> {
    PFS_TRY_ASSIGN(const auto id,
                   client::Commits(connection).start(branch, parent, arguments.description));
    fmt::print("{}\n", id);
    return {};
  });
}

Result<void> finish(Session& session, const Arguments& arguments) {
  return session.change([&](const client::Connection& connection) -> Result<void> {
    PFS_TRY(client::Commits(connection).finish(arguments.commit, arguments.description));
    return {};
  });
}

Result<void> remove(Session& session, const Arguments& arguments, bool squash) {
  return session.change([&](const client::Connection& connection) -> Result<void> {
    const client::Commits commits(connection);
    const auto& [ref, id] = arguments.deleted;
    if (ref) {
      PFS_TRY(commits.remove(*ref, squash));
    } else {
      PFS_TRY(commits.remove(id, squash));
    }
    return {};
  });
}

/// Commits as they come, or a list of them.
class CommitListing {
 public:
  CommitListing(const OutputFlags& output, Terminal terminal)
      : output_(output),
        listing_(output, terminal,
                 {"REPO", "BRANCH", "COMMIT", "FINISHED", "SIZE", "PROGRESS", "DESCRIPTION"}) {}

  void add(const client::Commit& commit) {
    if (listing_.json()) {
      listing_.add_object(json_of(commit));
      return;
    }
    const auto finished = commit.finished ? output_.time(*commit.finished) : "-";
    const auto size = commit.finished ? format_size(commit.size) : "-";
    auto description = commit.description;
    if (!commit.finished && commit.by_hand)
      description.insert(0, description.empty() ? "(started by hand)" : "(started by hand) ");
    listing_.add_row({commit.repo, commit.branch, commit.id, finished, size, progress_of(commit),
                      description});
  }
  /// What was added is seen now.
  void show() { listing_.show(); }

 private:
  const OutputFlags& output_;
  Listing listing_;
};

Result<void> check_from(const Arguments& arguments) {
  const bool of_branch = arguments.listed && arguments.listed->scope.branch;
  if (!arguments.from.commit || of_branch) return {};
  return Error{Code::kInvalid,
               "--from: goes down to a commit of one branch; name that, repo@branch"};
}

/// The order of a repo's own list: open ones first, then what was finished last.
bool listed_before(const client::Commit& a, const client::Commit& b) {
  if (a.finished && b.finished) return *a.finished > *b.finished;
  if (a.finished || b.finished) return !a.finished;
  return a.started > b.started;
}

/// `number` 0: all. Each repo's list is in the order of the whole, so its first ones are enough.
Result<std::vector<client::Commit>> commits_of_all_repos(const client::Connection& connection,
                                                         std::uint64_t number) {
  PFS_TRY_ASSIGN(const auto repos, client::Repos(connection).list());
  std::vector<client::Commit> all;
  for (const auto& repo : repos) {
    PFS_TRY_ASSIGN(const auto name, RepoName::parse(repo.name));
    auto some = client::Commits(connection).list(name, std::nullopt, number, std::nullopt);
    if (!some && some.error().code == Code::kNotFound) continue;  // deleted meanwhile
    if (!some) return std::move(some).error();
    std::move(some->begin(), some->end(), std::back_inserter(all));
  }
  std::stable_sort(all.begin(), all.end(), listed_before);
  if (number != 0 && all.size() > number) all.resize(number);
  return all;
}

Result<std::vector<client::Commit>> commits_of(const client::Connection& connection,
                                               const Arguments& arguments) {
  if (!arguments.listed) return commits_of_all_repos(connection, arguments.number);
  const auto& [scope, of] = *arguments.listed;
  const client::Commits commits(connection);
  if (of) return commits.history(*of, arguments.number);
  std::optional<CommitRef> from;
  if (scope.branch) {
    PFS_TRY_ASSIGN(from, arguments.from.of({scope.repo, *scope.branch}));
  }
  return commits.list(scope.repo, scope.branch, arguments.number, from);
}

Result<void> list(Session& session, const Arguments& arguments) {
  PFS_TRY_ASSIGN(const auto* connection, session.connection());
  PFS_TRY_ASSIGN(const auto commits, commits_of(*connection, arguments));
  CommitListing listing(arguments.output, session.terminal());
  for (const auto& commit : commits) listing.add(commit);
  return {};
}

/// A list that goes on is not for the pager, which would wait for its end.
Terminal as_they_come(Terminal terminal) {
  terminal.pager = false;
  return terminal;
}

Result<void> flush(Session& session, const Arguments& arguments) {
  PFS_TRY_ASSIGN(const auto* connection, session.connection());
  CommitListing listing(arguments.output, as_they_come(session.terminal()));
  const auto show = [&listing](const client::Commit& commit) -> Result<void> {
    listing.add(commit);
    listing.show();
    return {};
  };
  return client::Commits(*connection).flush(arguments.commits, arguments.repos, show);
}

/// Whether a job of the pipeline made the commit, or a job downstream of it.
bool is_of_pipeline(const client::Commit& commit, const std::string& pipeline) {
  return std::any_of(commit.provenance.begin(), commit.provenance.end(), [&](const auto& cause) {
    return commit.repo == pipeline || cause.repo == pipeline;
  });
}

/// It may be misspelt, and the wait for it then has no end.
void tell_if_missing(const client::Connection& connection, const BranchRef& branch) {
  const auto found = client::Branches(connection).inspect(branch);
  if (found || found.error().code != Code::kNotFound) return;
  if (!client::Repos(connection).inspect(branch.repo)) return;  // which is not waited for
  fmt::print(stderr, "branch {}: is not there yet, and is waited for\n", branch.str());
}

Result<void> subscribe(Session& session, const Arguments& arguments) {
  PFS_TRY_ASSIGN(const auto from, arguments.from.of(arguments.branch));
  PFS_TRY_ASSIGN(const auto* connection, session.connection());
  tell_if_missing(*connection, arguments.branch);
  CommitListing listing(arguments.output, as_they_come(session.terminal()));
  return client::Commits(*connection)
      .subscribe(arguments.branch, from, arguments.new_only, [&](const client::Commit& commit) {
        if (!arguments.pipeline.empty() && !is_of_pipeline(commit, arguments.pipeline)) return Result<void>();
        listing.add(commit);
        listing.show();
        return Result<void>();
      });
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
                                 [&session, arguments] { return start(session, *arguments); },
                                 [arguments] { return check_branch_named(*arguments); });
  add_parsed(starts, "branch", arguments->scope, "repo@branch")->required();
  add_parsed(starts, "-p,--parent", arguments->parent,
             "A branch or commit of the same repo that it goes on from: dev, master^, an id");
  starts.add_option("-m,--message,--description", arguments->description, "What it is about");

  auto& finishes = grammar.command("finish", "commit", "Finish a branch's open commit now",
                                   [&session, arguments] { return finish(session, *arguments); });
  add_parsed(finishes, "commit", arguments->commit, "repo@branch, or repo@id of an open commit")
      ->required();
  finishes.add_option("-m,--message,--description", arguments->description, "What it is about");

  auto& lists = grammar.command("list", "commit", "List commits, newest first",
                                [&session, arguments] { return list(session, *arguments); },
                                [arguments] { return check_from(*arguments); });
  add_parsed(lists, "repo", arguments->listed,
             "repo, repo@branch, or a commit, for its history: repo@id, repo@branch^2; without, of "
             "all repos");
  add_number(lists, "-n,--number", arguments->number, "At most so many");
  add_parsed(lists, "-f,--from", arguments->from, "Down to this commit of the branch, without it");
  add_output_flags(lists, arguments->output);

  auto& inspects = grammar.command("inspect", "commit", "Show a commit",
                                   [&session, arguments] { return inspect(session, *arguments); });
  add_parsed(inspects, "commit", arguments->commit, "repo@branch or repo@id, with ^N or .N")
      ->required();
  add_output_flags(inspects, arguments->output);

  auto& removes =
      grammar.command("delete", "commit", "Delete a commit, with what was made from it",
                      [&session, arguments] { return remove(session, *arguments, false); });
  add_parsed(removes, "commit", arguments->deleted, "repo@branch (its HEAD), repo@id, or an id")
      ->required();
  auto& squashes =
      grammar.command("squash", "commit", "Delete a commit whose content the commits after it keep",
                      [&session, arguments] { return remove(session, *arguments, true); });
  add_parsed(squashes, "commit", arguments->deleted, "repo@id, or an id")->required();

  for (const auto* verb : {"flush", "wait"}) {
    auto& flushes = grammar.command(verb, "commit", "Wait for all jobs downstream of commits",
                                    [&session, arguments] { return flush(session, *arguments); });
    add_parsed(flushes, "commits", arguments->commits, "repo@branch or repo@id, one or several")
        ->required();
    add_parsed(flushes, "-r,--repos", arguments->repos, "Show commits of these repos only")
        ->delimiter(',')
        ->allow_extra_args(false);
    add_output_flags(flushes, arguments->output);
  }

  auto& subscribes =
      grammar.command("subscribe", "commit", "Show commits of a branch as they are made",
                      [&session, arguments] { return subscribe(session, *arguments); });
  add_parsed(subscribes, "branch", arguments->branch, "repo@branch")->required();
  auto* from = add_parsed(subscribes, "--from", arguments->from, "Only those after this one");
  subscribes.add_flag("--new", arguments->new_only, "Only those that are still to come")
      ->excludes(from);
  subscribes.add_option("--pipeline", arguments->pipeline, "Only those that jobs of this pipeline, or of what reads its output, have made");
  add_output_flags(subscribes, arguments->output);
}

}  // namespace pfs::cli
