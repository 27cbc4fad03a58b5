#include "api/client/transactions.h"

#include "api/client/internal/wire.h"
#include "api/wire/time.h"
#include "pfs/v1/transaction.grpc.pb.h"

namespace pfs::client {
namespace {

Transaction transaction_of(const v1::TransactionInfo& info) {
  return {info.id(), api::time_of(info.started()), {info.requests().begin(), info.requests().end()}};
}

}  // namespace

Result<Transaction> Transactions::start() const {
  v1::TransactionInfo response;
  grpc::ClientContext context;
  const auto stub = v1::TransactionService::NewStub(connection_.wire().channel);
  PFS_TRY(outcome_of(stub->StartTransaction(&context, {}, &response), context, connection_));
  return transaction_of(response);
}

Result<Transaction> Transactions::finish(const std::string& id) const {
  v1::FinishTransactionRequest request;
  request.set_id(id);
  v1::TransactionInfo response;
  grpc::ClientContext context;
  const auto stub = v1::TransactionService::NewStub(connection_.wire().channel);
  PFS_TRY(outcome_of(stub->FinishTransaction(&context, request, &response), context, connection_));
  return transaction_of(response);
}

Result<void> Transactions::remove(const std::string& id) const {
  v1::DeleteTransactionRequest request;
  request.set_id(id);
  v1::DeleteTransactionResponse response;
  grpc::ClientContext context;
  const auto stub = v1::TransactionService::NewStub(connection_.wire().channel);
  return outcome_of(stub->DeleteTransaction(&context, request, &response), context, connection_);
}

Result<Transaction> Transactions::inspect(const std::string& id) const {
  v1::InspectTransactionRequest request;
  request.set_id(id);
  v1::TransactionInfo response;
  grpc::ClientContext context;
  const auto stub = v1::TransactionService::NewStub(connection_.wire().channel);
  PFS_TRY(outcome_of(stub->InspectTransaction(&context, request, &response), context, connection_));
  return transaction_of(response);
}

Result<std::vector<Transaction>> Transactions::list() const {
  std::vector<Transaction> all;
  grpc::ClientContext context;
  const auto stub = v1::TransactionService::NewStub(connection_.wire().channel);
  const auto reader = stub->ListTransactions(&context, v1::ListTransactionsRequest());
  PFS_TRY(read_all<v1::TransactionInfo>(*reader, context, connection_,
                                        [&all](const v1::TransactionInfo& info) {
                                          all.push_back(transaction_of(info));
                                          return Result<void>();
                                        }));
  return all;
}

}  // namespace pfs::client
