#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <grpcpp/server_context.h>

#include "api/internal/callers.h"
#include "api/internal/file_changes.h"
#include "base/clock.h"
#include "base/result.h"
#include "pfs/v1/transaction.pb.h"
#include "store/store.h"

namespace pfs::api {

/// The metadata by which a call names the transaction that it belongs to.
inline constexpr char kTransactionMetadata[] = "pfs-transaction";

/// Carries changes of refs out: each at once, or several together, by transactions that are kept in
/// the store until they are finished or deleted.
///
/// Thread-safe; holds no state of its own. A queued change is rehearsed behind those before it, so
/// that what cannot be is refused when it is said, and the ids that are returned are real.
/// Finishing carries all of them out in one transaction of the store, which erases the record too:
/// it happens once, or not at all.
class Transactions {
 public:
  Transactions(store::Store& store, const Callers& callers) : store_(store), callers_(callers) {}

  /// Whether the call is a part of a transaction.
  static bool named_by(const grpc::ServerContext& context) {
    return context.client_metadata().count(kTransactionMetadata) != 0;
  }

  /// What a call that changes something at once answers where it names a transaction, instead of
  /// doing it although the transaction may be deleted: kUnsupported. `what`: `pipelines`.
  static Result<void> refuse_part(const grpc::ServerContext& context, std::string_view what);

  /// Carries `request` out, or queues it where the call names a transaction. Returns what its main
  /// step comes to. Errors: those of the steps; kNotFound (no such transaction).
  Result<store::StepResult> carry_out(const grpc::ServerContext& context, const v1::RefRequest& request);

  /// What the call's changes of files go through, if they are a part of a transaction.
  std::optional<FileChanges::Transaction> part_of(const grpc::ServerContext& context);

  Result<v1::StoredTransaction> start();
  Result<v1::StoredTransaction> get(const std::string& id) const;
  /// Newest first.
  Result<std::vector<v1::StoredTransaction>> list() const;
  /// Returns what was carried out. Errors: those of the steps, of which none was done then.
  Result<v1::StoredTransaction> finish(const grpc::ServerContext& context, const std::string& id);
  Result<void> remove(const std::string& id);

 private:
  struct Planned {
    std::vector<store::RefStep> steps;
    std::size_t main = 0;  ///< of the last request
  };
  Result<Planned> plan(const v1::StoredTransaction& transaction);
  /// Branches that come to be by it belong to who calls. Source: docs/semantics.md S51.
  Result<std::vector<store::StepResult>> transact(const grpc::ServerContext& context,
                                                  std::vector<store::RefStep> steps);
  /// What a branch has after what is queued, of which it is certain that files can be put there
  /// then. What is not committed of it yet, and would be by itself, is committed first.
  Result<store::TreePtr> view(const std::string& id, const BranchRef& ref, bool make_branch);
  /// The branch whose open commit has that id, also one that the transaction starts; null: none.
  /// Errors: kReadOnly (the transaction finishes the commit).
  Result<std::optional<BranchRef>> with_open(const std::string& id, const CommitRef& ref);
  Result<store::StepResult> queue(const std::string& id, const v1::RefRequest& request);
  /// `version`: of the record, of which there is none before it is put.
  Result<void> put(const v1::StoredTransaction& transaction, std::optional<store::Seq> version);

  store::Store& store_;
  const Callers& callers_;
};

}  // namespace pfs::api
