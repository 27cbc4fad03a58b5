#pragma once

#include <functional>
#include <memory>
#include <string>

#include "api/client/connection.h"
#include "base/result.h"
#include "cli/grammar.h"
#include "cli/table.h"

namespace pfs::cli {

/// What the commands of one run share: the global options, and the connection to the daemon.
class Session {
 public:
  /// Adds --address, --verbose, --no-color. Must live as long as the grammar is used.
  explicit Session(Grammar& grammar);

  /// The socket that the options and the environment name. Errors: as socket_path().
  Result<std::string> socket() const;
  /// Connects at the first call. Errors: as client::Connection::to_socket().
  Result<const client::Connection*> connection();

  /// The transaction that commands are added to, by the configuration; empty: none. Errors: as
  /// Config::load().
  Result<std::string> transaction() const;
  /// Connects, and has what `call` changes added to that transaction, which is told on stderr; or
  /// carried out at once where there is none.
  Result<void> change(const std::function<Result<void>(const client::Connection&)>& call);
  /// A refusal while there is one: what `command` does cannot be a part of it.
  Result<void> refuse_in_transaction(const std::string& command) const;

  Terminal terminal() const;
  bool verbose() const { return verbose_; }

 private:
  std::string address_;
  bool verbose_ = false;
  bool no_color_ = false;
  std::unique_ptr<client::Connection> connection_;
};

}  // namespace pfs::cli
