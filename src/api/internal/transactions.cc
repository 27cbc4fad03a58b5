#include "api/internal/transactions.h"

#include <algorithm>

#include <fmt/format.h>

#include "api/internal/ref_requests.h"
#include "api/internal/refs.h"
#include "api/wire/time.h"
#include "base/fault.h"

namespace pfs::api {
namespace {

// A queued request that loses a race against another is tried again this often.
constexpr int kAttempts = 8;
constexpr std::string_view kPrefix = "transaction/";

std::string key_of(const std::string& id) { return std::string(kPrefix) + id; }

/// A random number in the form of RFC 9562, as pachctl's users know them.
std::string new_id() {
  auto hex = new_commit_id().hex();
  for (const std::size_t at : {8U, 13U, 18U, 23U}) hex.insert(at, "-");
  return hex;
}

Error no_such(const std::string& id) {
  return {Code::kNotFound,
          fmt::format("transaction {}: no such transaction; it was finished or deleted, or never "
                      "started. Leave it with: pfs stop transaction",
                      printable(id))};
}

/// Whether the request finishes the commit of that id, which is open on the branch.
bool finishes(const v1::RefRequest& request, const BranchRef& branch, const std::string& open) {
  if (!request.has_finish_commit()) return false;
  const auto& finish = request.finish_commit();
  return finish.repo() == branch.repo.str() &&
         (finish.ref() == branch.branch.str() || finish.ref() == open);
}

Result<v1::StoredTransaction> decode(const std::string& value) {
  v1::StoredTransaction transaction;
  if (!transaction.ParseFromString(value))
    return Error{Code::kCorrupt, "transaction: damaged record"};
  return transaction;
}

}  // namespace

Result<void> Transactions::refuse_part(const grpc::ServerContext& context, std::string_view what) {
  if (!named_by(context)) return {};
  return Error{Code::kUnsupported,
               fmt::format("{} are not part of transactions: finish the transaction first, or leave "
                           "it with: pfs stop transaction",
                           what)};
}

Result<store::StepResult> Transactions::carry_out(const grpc::ServerContext& context,
                                                  const v1::RefRequest& request) {
  const auto& metadata = context.client_metadata();
  if (const auto named = metadata.find(kTransactionMetadata); named != metadata.end()) {
    return queue(std::string(named->second.data(), named->second.size()), request);
  }
  PFS_TRY_ASSIGN(const auto planned, plan_request(store_, request, {}));
  if (planned.steps.empty()) return store::StepResult{};
  PFS_TRY_ASSIGN(const auto results, transact(context, planned.steps));
  return results[planned.main];
}

Result<std::vector<store::StepResult>> Transactions::transact(const grpc::ServerContext& context,
                                                              std::vector<store::RefStep> steps) {
  PFS_TRY_ASSIGN(const auto caller, callers_.of(context));
  const store::DirectoryOwner owner{caller.uid, caller.gid};
  for (auto& step : steps) {
    if (auto* branch = std::get_if<store::CreateBranch>(&step)) branch->owner = owner;
    if (auto* commit = std::get_if<store::StartCommit>(&step)) commit->owner = owner;
    if (auto* files = std::get_if<store::ChangeFiles>(&step)) files->owner = owner;
  }
  return store_.catalog().transact(steps);
}

std::optional<FileChanges::Transaction> Transactions::part_of(const grpc::ServerContext& context) {
  const auto& metadata = context.client_metadata();
  const auto named = metadata.find(kTransactionMetadata);
  if (named == metadata.end()) return std::nullopt;
  const std::string id(named->second.data(), named->second.size());
  FileChanges::Transaction part;
  part.with_open = [this, id](const CommitRef& ref) { return with_open(id, ref); };
  part.view = [this, id](const BranchRef& ref, bool make_branch) {
    return view(id, ref, make_branch);
  };
  part.add = [this, id](const v1::RefRequest& request) -> Result<CommitId> {
    PFS_TRY_ASSIGN(const auto done, queue(id, request));
    return done.commit;
  };
  return part;
}

Result<std::optional<BranchRef>> Transactions::with_open(const std::string& id,
                                                         const CommitRef& ref) {
  PFS_TRY_ASSIGN(const auto transaction, get(id));
  const auto open = ref.id->hex();
  PFS_TRY_ASSIGN(auto branch, branch_with_open(store_.catalog(), ref.repo, *ref.id));
  for (const auto& request : transaction.requests()) {
    if (branch && finishes(request, *branch, open)) return never_changes(ref);
    if (!request.has_start_commit() || request.promised_id() != open) continue;
    const auto& start = request.start_commit();
    if (start.repo() != ref.repo.str()) continue;
    PFS_TRY_ASSIGN(branch, branch_ref(start.repo(), start.branch()));
  }
  return branch;
}

Result<store::TreePtr> Transactions::view(const std::string& id, const BranchRef& ref,
                                          bool make_branch) {
  PFS_TRY_ASSIGN(const auto transaction, get(id));
  const bool started = std::any_of(
      transaction.requests().begin(), transaction.requests().end(), [&](const auto& request) {
        return request.has_start_commit() && request.start_commit().repo() == ref.repo.str() &&
               request.start_commit().branch() == ref.branch.str();
      });
  const auto branch = store_.catalog().branch(ref);
  if (!branch && branch.error().code != Code::kNotFound) return branch.error();
  // not where that would take the id that a commit was promised
  if (branch && branch->output_of.empty() && !started) {
    store::FinishOptions options;
    options.automatic = true;
    options.leave_out_written = true;
    PFS_TRY(store_.catalog().finish(ref, options));
  }
  PFS_TRY_ASSIGN(auto planned, plan(transaction));
  store::TreePtr seen;
  store::ChangeFiles probe;
  probe.ref = ref;
  probe.make_branch = make_branch;
  probe.change = [&seen](const store::TreePtr& tree) -> Result<void> {
    seen = tree;
    return {};
  };
  planned.steps.emplace_back(std::move(probe));
  PFS_TRY(store_.catalog().rehearse(planned.steps));
  return seen;
}

Result<Transactions::Planned> Transactions::plan(const v1::StoredTransaction& transaction) {
  Planned all;
  const std::vector<v1::RefRequest> requests(transaction.requests().begin(),
                                             transaction.requests().end());
  for (std::size_t i = 0; i < requests.size(); ++i) {
    PFS_TRY_ASSIGN(auto planned,
                   plan_request(store_, requests[i], std::span(requests).first(i)));
    all.main = all.steps.size() + planned.main;
    std::move(planned.steps.begin(), planned.steps.end(), std::back_inserter(all.steps));
  }
  return all;
}

Result<store::StepResult> Transactions::queue(const std::string& id, const v1::RefRequest& request) {
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    PFS_TRY_ASSIGN(const auto row, store_.refs().get(key_of(id)));
    if (!row) return no_such(id);
    PFS_TRY_ASSIGN(auto transaction, decode(row->value));
    *transaction.add_requests() = request;
    PFS_TRY_ASSIGN(const auto planned, plan(transaction));
    store::StepResult result;
    if (!planned.steps.empty()) {
      PFS_TRY_ASSIGN(const auto results, store_.catalog().rehearse(planned.steps));
      if (planned.main < results.size()) result = results[planned.main];
    }
    auto& queued = *transaction.mutable_requests(transaction.requests_size() - 1);
    if (queued.has_start_commit() || queued.has_files()) queued.set_promised_id(result.commit.hex());
    PFS_FAULT_POINT("api.transaction.queue");
    const auto done = put(transaction, row->version);
    if (done) return result;
    if (done.error().code != Code::kConflict) return done.error();
  }
  return Error{Code::kConflict, fmt::format("transaction {}: others add to it; try again", id)};
}

Result<void> Transactions::put(const v1::StoredTransaction& transaction,
                               std::optional<store::Seq> version) {
  store::RefTxn txn;
  txn.id = new_commit_id().hex();
  txn.expect.push_back({key_of(transaction.id()), version});
  txn.put.push_back({key_of(transaction.id()), transaction.SerializeAsString()});
  PFS_TRY(store_.refs().commit(std::move(txn)));
  return {};
}

Result<v1::StoredTransaction> Transactions::start() {
  v1::StoredTransaction transaction;
  transaction.set_id(new_id());
  set_time(transaction.mutable_started(), SystemClock().now());
  PFS_TRY(put(transaction, std::nullopt));
  return transaction;
}

Result<v1::StoredTransaction> Transactions::get(const std::string& id) const {
  PFS_TRY_ASSIGN(const auto row, store_.refs().get(key_of(id)));
  if (!row) return no_such(id);
  return decode(row->value);
}

Result<std::vector<v1::StoredTransaction>> Transactions::list() const {
  std::vector<v1::StoredTransaction> all;
  Result<void> outcome;
  PFS_TRY(store_.refs().scan(kPrefix, "", [&](std::string_view, const store::RefValue& row) {
    auto transaction = decode(row.value);
    if (transaction)
      all.push_back(*std::move(transaction));
    else
      outcome = std::move(transaction).error();
    return outcome.has_value();
  }));
  PFS_TRY(std::move(outcome));
  std::stable_sort(all.begin(), all.end(), [](const auto& a, const auto& b) {
    return time_of(a.started()).nanoseconds > time_of(b.started()).nanoseconds;
  });
  return all;
}

Result<v1::StoredTransaction> Transactions::finish(const grpc::ServerContext& context,
                                                         const std::string& id) {
  PFS_TRY_ASSIGN(auto transaction, get(id));
  auto planned = plan(transaction);
  if (planned) {
    planned->steps.emplace_back(store::EraseRecord{key_of(id)});
    const auto done = transact(context, planned->steps);
    if (done) return transaction;
    planned = done.error();
  }
  auto error = std::move(planned).error();
  error.message += fmt::format(
      "; nothing of transaction {} was done: mend what is in its way and finish it again, or "
      "delete "
      "it with: pfs delete transaction {}",
      id, id);
  return error;
}

Result<void> Transactions::remove(const std::string& id) {
  PFS_TRY(get(id));
  store::RefTxn txn;
  txn.id = new_commit_id().hex();
  txn.erase.push_back(key_of(id));
  PFS_TRY(store_.refs().commit(std::move(txn)));
  return {};
}

}  // namespace pfs::api
