#pragma once

#include <string>
#include <vector>

#include "api/client/connection.h"
#include "base/clock.h"
#include "base/result.h"

namespace pfs::client {

struct Transaction {
  std::string id;
  Timestamp started;
  std::vector<std::string> requests;  ///< what it will do, a line each
};

/// Transactions on the server. What is added to one is said by Connection::set_transaction().
class Transactions {
 public:
  explicit Transactions(const Connection& connection) : connection_(connection) {}

  Result<Transaction> start() const;
  /// Carries all of it out, or none. Errors: those of what is in it.
  Result<Transaction> finish(const std::string& id) const;
  Result<void> remove(const std::string& id) const;
  Result<Transaction> inspect(const std::string& id) const;
  /// Newest first.
  Result<std::vector<Transaction>> list() const;

 private:
  const Connection& connection_;
};

}  // namespace pfs::client
