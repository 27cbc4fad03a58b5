#include "api/transaction_service.h"

#include "api/internal/answer.h"
#include "api/internal/ref_requests.h"

namespace pfs::api {
namespace {

v1::TransactionInfo info_of(const v1::StoredTransaction& transaction) {
  v1::TransactionInfo info;
  info.set_id(transaction.id());
  *info.mutable_started() = transaction.started();
  for (const auto& request : transaction.requests()) info.add_requests(line_of(request));
  return info;
}

Result<void> tell(const Result<v1::StoredTransaction>& transaction, v1::TransactionInfo& response) {
  if (!transaction) return transaction.error();
  response = info_of(*transaction);
  return {};
}

}  // namespace

grpc::Status TransactionService::StartTransaction(grpc::ServerContext* context,
                                                  const v1::StartTransactionRequest*,
                                                  v1::TransactionInfo* response) {
  return answer(*context, tell(transactions_.start(), *response));
}

grpc::Status TransactionService::FinishTransaction(grpc::ServerContext* context,
                                                   const v1::FinishTransactionRequest* request,
                                                   v1::TransactionInfo* response) {
  return answer(*context, tell(transactions_.finish(request->id()), *response));
}

grpc::Status TransactionService::DeleteTransaction(grpc::ServerContext* context,
                                                   const v1::DeleteTransactionRequest* request,
                                                   v1::DeleteTransactionResponse*) {
  return answer(*context, transactions_.remove(request->id()));
}

grpc::Status TransactionService::InspectTransaction(grpc::ServerContext* context,
                                                    const v1::InspectTransactionRequest* request,
                                                    v1::TransactionInfo* response) {
  return answer(*context, tell(transactions_.get(request->id()), *response));
}

grpc::Status TransactionService::ListTransactions(
    grpc::ServerContext* context, const v1::ListTransactionsRequest*,
    grpc::ServerWriter<v1::TransactionInfo>* writer) {
  return answer(*context, [&]() -> Result<void> {
    PFS_TRY_ASSIGN(const auto all, transactions_.list());
    for (const auto& transaction : all) {
      if (!writer->Write(info_of(transaction))) break;
    }
    return {};
  }());
}

}  // namespace pfs::api
