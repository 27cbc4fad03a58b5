#pragma once

#include "api/internal/transactions.h"
#include "pfs/v1/transaction.grpc.pb.h"

namespace pfs::api {

/// Transactions, over the wire. Thread-safe.
class TransactionService final : public v1::TransactionService::Service {
 public:
  explicit TransactionService(store::Store& store) : transactions_(store) {}

  grpc::Status StartTransaction(grpc::ServerContext* context, const v1::StartTransactionRequest* request,
                                v1::TransactionInfo* response) override;
  grpc::Status FinishTransaction(grpc::ServerContext* context,
                                 const v1::FinishTransactionRequest* request,
                                 v1::TransactionInfo* response) override;
  grpc::Status DeleteTransaction(grpc::ServerContext* context,
                                 const v1::DeleteTransactionRequest* request,
                                 v1::DeleteTransactionResponse* response) override;
  grpc::Status InspectTransaction(grpc::ServerContext* context,
                                  const v1::InspectTransactionRequest* request,
                                  v1::TransactionInfo* response) override;
  grpc::Status ListTransactions(grpc::ServerContext* context,
                                const v1::ListTransactionsRequest* request,
                                grpc::ServerWriter<v1::TransactionInfo>* writer) override;

 private:
  Transactions transactions_;
};

}  // namespace pfs::api
