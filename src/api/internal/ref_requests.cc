#include "api/internal/ref_requests.h"

#include <algorithm>

#include <fmt/format.h>

#include "api/internal/refs.h"
#include "api/internal/staged_change.h"

namespace pfs::api {
namespace {

PlannedRequest only(store::RefStep step) { return {{std::move(step)}, 0}; }

Result<PlannedRequest> plan(const v1::CreateRepoRequest& request) {
  PFS_TRY_ASSIGN(const auto name, RepoName::parse(request.name()));
  return only(store::CreateRepo{name, request.description()});
}

Result<PlannedRequest> plan(const v1::UpdateRepoRequest& request) {
  PFS_TRY_ASSIGN(const auto name, RepoName::parse(request.name()));
  return only(store::UpdateRepo{name, request.description()});
}

Result<PlannedRequest> plan(store::Catalog& catalog, const v1::DeleteRepoRequest& request) {
  if (!request.all()) {
    PFS_TRY_ASSIGN(const auto name, RepoName::parse(request.name()));
    return only(store::DeleteRepo{name, request.force()});
  }
  PlannedRequest planned;
  PFS_TRY_ASSIGN(const auto repos, catalog.repos());
  for (const auto& repo : repos)
    planned.steps.emplace_back(store::DeleteRepo{repo.name, request.force()});
  return planned;
}

Result<store::BranchTrigger> trigger_of(const v1::BranchTrigger& request) {
  store::BranchTrigger trigger;
  PFS_TRY_ASSIGN(trigger.branch, BranchName::parse(request.branch()));
  trigger.cron = request.cron();
  trigger.size = request.size();
  trigger.commits = request.commits();
  trigger.all = request.all();
  // on its own: at each commit
  if (trigger.cron.empty() && trigger.size.empty() && trigger.commits == 0) trigger.commits = 1;
  PFS_TRY(trigger.check());
  return trigger;
}

Result<PlannedRequest> plan(const v1::CreateBranchRequest& request) {
  PFS_TRY_ASSIGN(const auto ref, branch_ref(request.repo(), request.name()));
  store::CreateBranch step;
  step.ref = ref;
  step.or_move = true;
  if (!request.head().empty()) {
    PFS_TRY_ASSIGN(step.head, CommitRef::parse_in(ref.repo, request.head()));
  }
  store::RelateBranch relation{ref, {}, {}};
  for (const auto& name : request.provenance()) {
    PFS_TRY_ASSIGN(const auto upstream, branch_ref(name.repo(), name.name()));
    if (!relation.provenance) relation.provenance.emplace();
    relation.provenance->push_back(upstream);
  }
  if (request.has_trigger()) {
    auto trigger = trigger_of(request.trigger());
    if (!trigger) return std::move(trigger).error().within("branch " + ref.str());
    relation.trigger = *std::move(trigger);
  }
  auto planned = only(std::move(step));
  if (relation.provenance || relation.trigger) planned.steps.emplace_back(std::move(relation));
  return planned;
}

Result<PlannedRequest> plan(store::Catalog& catalog, const v1::DeleteBranchRequest& request,
                            const std::string& author) {
  PFS_TRY_ASSIGN(const auto ref, branch_ref(request.repo(), request.name()));
  store::DeleteBranch deletion{ref, true, request.force()};
  const auto branch = catalog.branch(ref);
  // not there: made by the same transaction, or the step will say so
  if (!branch && branch.error().code == Code::kNotFound) return only(deletion);
  PFS_TRY(branch);
  PFS_TRY_ASSIGN(const auto open, catalog.open_commit(ref));
  const bool manual = open.policy.when == store::CommitWhen::kManual && open.changed;
  if ((branch->opened_by_hand || manual) && !request.force()) {
    return Error{
        Code::kBusy,
        fmt::format(
            "branch {}: commit {} is open; finish it first, or force and lose what is in it",
            ref.str(), branch->open.hex())};
  }
  if (branch->opened_by_hand || !branch->output_of.empty()) return only(deletion);
  // so that nothing is lost: the commit stays, by its id
  store::FinishOptions options;
  options.author = author;
  options.automatic = true;
  return PlannedRequest{{store::FinishCommit{ref, options}, deletion}, 1};
}

Result<PlannedRequest> plan(const v1::StartCommitRequest& request, const std::string& promised) {
  store::StartCommit step;
  PFS_TRY_ASSIGN(step.ref, branch_ref(request.repo(), request.branch()));
  step.description = request.description();
  if (!request.parent().empty()) {
    PFS_TRY_ASSIGN(step.parent, CommitRef::parse_in(step.ref.repo, request.parent()));
  }
  if (!promised.empty()) {
    PFS_TRY_ASSIGN(step.id, CommitId::from_hex(promised));
  }
  return only(std::move(step));
}

/// The branch whose open commit a reference without ancestry means, if it means one.
Result<std::optional<BranchRef>> open_branch(store::Catalog& catalog, const CommitRef& ref,
                                             std::span<const v1::RefRequest> before) {
  if (ref.ancestry.direction != Ancestry::Direction::kNone) return std::optional<BranchRef>();
  if (ref.branch) return std::optional(BranchRef{ref.repo, *ref.branch});
  for (const auto& earlier : before) {
    if (!earlier.has_start_commit() || earlier.promised_id() != ref.id->hex()) continue;
    PFS_TRY_ASSIGN(auto branch,
                   branch_ref(earlier.start_commit().repo(), earlier.start_commit().branch()));
    if (branch.repo == ref.repo) return std::optional(std::move(branch));
  }
  return branch_with_open(catalog, ref.repo, *ref.id);
}

Result<PlannedRequest> plan(store::Catalog& catalog, const v1::FinishCommitRequest& request,
                            const std::string& author, std::span<const v1::RefRequest> before) {
  PFS_TRY_ASSIGN(const auto ref, commit_ref(request.repo(), request.ref()));
  PFS_TRY_ASSIGN(const auto branch, open_branch(catalog, ref, before));
  if (!branch) {
    PFS_TRY_ASSIGN(const auto finished, catalog.resolve(ref));
    return Error{Code::kInvalid, fmt::format("commit {}@{}: is finished already", ref.repo.str(),
                                             finished.id.hex())};
  }
  store::FinishOptions options;
  options.author = author;
  options.description = request.description();
  return only(store::FinishCommit{*branch, options});
}

/// Whether the branch has a commit open that somebody could mean.
Result<bool> is_open(store::Catalog& catalog, const BranchRef& branch, bool by_hand_only) {
  PFS_TRY_ASSIGN(const auto open, catalog.open_commit(branch));
  return open.by_hand || (open.changed && !by_hand_only);
}

/// The repo of a commit that is named by its id alone, which may be open.
Result<RepoName> repo_of(store::Catalog& catalog, const CommitId& id) {
  const auto commit = catalog.commit(id);
  if (commit) return commit->repo;
  PFS_TRY_ASSIGN(const auto branches, catalog.branches(std::nullopt));
  const auto open = std::find_if(branches.begin(), branches.end(),
                                 [&id](const store::Branch& branch) { return branch.open == id; });
  if (open == branches.end()) return commit.error();
  return open->ref.repo;
}

Result<PlannedRequest> plan(store::Catalog& catalog, const v1::DeleteCommitRequest& request,
                            std::span<const v1::RefRequest> before) {
  CommitRef ref;
  if (request.repo().empty()) {
    PFS_TRY_ASSIGN(ref.id, CommitId::from_hex(request.ref()));
    PFS_TRY_ASSIGN(ref.repo, repo_of(catalog, *ref.id));
  } else {
    PFS_TRY_ASSIGN(ref, commit_ref(request.repo(), request.ref()));
  }
  PFS_TRY_ASSIGN(const auto branch, open_branch(catalog, ref, before));
  if (branch && !request.squash()) {
    // a branch's name means HEAD, unless somebody has opened a commit there
    PFS_TRY_ASSIGN(const bool open, is_open(catalog, *branch, ref.branch.has_value()));
    if (open) return only(store::DiscardCommit{*branch});
  }
  PFS_TRY_ASSIGN(const auto commit, catalog.resolve(ref));
  return only(store::DeleteCommit{commit.repo, commit.id, request.squash()});
}

Result<PlannedRequest> plan(store::Store& store, const v1::StoredFiles& files,
                            const std::string& author, const std::string& promised) {
  store::ChangeFiles step;
  PFS_TRY_ASSIGN(step.ref, branch_ref(files.repo(), files.branch()));
  step.author = author;
  step.make_branch = files.make_branch();
  if (!promised.empty()) {
    PFS_TRY_ASSIGN(step.id, CommitId::from_hex(promised));
  }
  step.change = [&store, files](const store::TreePtr& tree) {
    return StagedChange::place_stored(store, files, tree);
  };
  return only(std::move(step));
}

std::string option(std::string_view name, const std::string& value) {
  return value.empty() ? std::string() : fmt::format(" {} {}", name, printable(value));
}

}  // namespace

Result<PlannedRequest> plan_request(store::Store& store, const v1::RefRequest& request,
                                    std::span<const v1::RefRequest> before) {
  auto& catalog = store.catalog();
  switch (request.request_case()) {
    case v1::RefRequest::kCreateRepo: return plan(request.create_repo());
    case v1::RefRequest::kUpdateRepo: return plan(request.update_repo());
    case v1::RefRequest::kDeleteRepo: return plan(catalog, request.delete_repo());
    case v1::RefRequest::kCreateBranch: return plan(request.create_branch());
    case v1::RefRequest::kDeleteBranch:
      return plan(catalog, request.delete_branch(), request.author());
    case v1::RefRequest::kStartCommit: return plan(request.start_commit(), request.promised_id());
    case v1::RefRequest::kFinishCommit:
      return plan(catalog, request.finish_commit(), request.author(), before);
    case v1::RefRequest::kDeleteCommit: return plan(catalog, request.delete_commit(), before);
    case v1::RefRequest::kFiles:
      return plan(store, request.files(), request.author(), request.promised_id());
    case v1::RefRequest::REQUEST_NOT_SET: break;
  }
  return Error{Code::kInvalid, "transaction: a request of another version"};
}

std::string line_of(const v1::RefRequest& request) {
  switch (request.request_case()) {
    case v1::RefRequest::kCreateRepo:
      return "create repo " + request.create_repo().name() +
             option("--description", request.create_repo().description());
    case v1::RefRequest::kUpdateRepo:
      return "update repo " + request.update_repo().name() +
             option("--description", request.update_repo().description());
    case v1::RefRequest::kDeleteRepo: {
      const auto& deletion = request.delete_repo();
      return "delete repo " + (deletion.all() ? "--all" : deletion.name()) +
             (deletion.force() ? " --force" : "");
    }
    case v1::RefRequest::kCreateBranch: {
      const auto& creation = request.create_branch();
      auto line = fmt::format("create branch {}@{}", creation.repo(), creation.name()) +
                  option("--head", creation.head());
      for (const auto& name : creation.provenance()) {
        line += option("--provenance", name.repo() + "@" + name.name());
      }
      if (creation.has_trigger()) line += option("--trigger", creation.trigger().branch());
      return line;
    }
    case v1::RefRequest::kDeleteBranch:
      return fmt::format("delete branch {}@{}{}", request.delete_branch().repo(),
                         request.delete_branch().name(),
                         request.delete_branch().force() ? " --force" : "");
    case v1::RefRequest::kStartCommit:
      return fmt::format("start commit {}@{}", request.start_commit().repo(),
                         request.start_commit().branch()) +
             option("--parent", request.start_commit().parent());
    case v1::RefRequest::kFinishCommit:
      return fmt::format("finish commit {}@{}", request.finish_commit().repo(),
                         request.finish_commit().ref());
    case v1::RefRequest::kDeleteCommit:
      return fmt::format("{} commit {}@{}", request.delete_commit().squash() ? "squash" : "delete",
                         request.delete_commit().repo(), request.delete_commit().ref());
    case v1::RefRequest::kFiles: return request.files().line();
    case v1::RefRequest::REQUEST_NOT_SET: break;
  }
  return "(a request of another version)";
}

}  // namespace pfs::api
