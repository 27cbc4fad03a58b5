#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "api/client/connection.h"
#include "base/result.h"
#include "cli/grammar.h"
#include "cli/table.h"

namespace pfs::cli {

/// What the commands of one run share: the global options, and the connection to the daemon.
class Session {
 public:
  /// Adds --address, --timeout, --verbose, --no-color, --no-pager. Must live as long as the grammar is used.
  explicit Session(Grammar& grammar);

  /// Where the options, the environment and the configuration say that the daemon is. Errors: as
  /// daemon_endpoint().
  Result<client::Endpoint> endpoint() const;
  /// Connects at the first call. Errors: as client::Connection::open().
  Result<const client::Connection*> connection();
  /// The id of this run in the daemon's log; empty before connection().
  std::string request_id() const { return connection_ ? connection_->request_id() : std::string(); }
  /// What --timeout says, or else `otherwise`, for connections that are made from now on.
  void set_default_timeout(std::chrono::milliseconds otherwise) { default_timeout_ = otherwise; }

  /// The transaction that commands are added to, by the configuration; empty: none. Errors: as
  /// Config::load().
  Result<std::string> transaction() const;
  /// Connects, and has what `call` changes added to that transaction, which is told on stderr; or
  /// carried out at once where there is none.
  Result<void> change(const std::function<Result<void>(const client::Connection&)>& call);
  /// A refusal while there is one: what `command` does cannot be a part of it.
  Result<void> refuse_in_transaction(const std::string& command) const;

  /// Says that the daemon, which alone can read them, found no sense in the arguments: the run's
  /// status is then that of usage.
  void blame_arguments() { arguments_blamed_ = true; }
  bool arguments_blamed() const { return arguments_blamed_; }

  /// The status of a run that is done, where it is that of a program which was run on the way.
  void end_with(int status) { status_ = status; }
  int status() const { return status_; }

  Terminal terminal() const;
  bool verbose() const { return verbose_; }

 private:
  std::string address_;
  std::string timeout_;
  std::optional<std::chrono::milliseconds> default_timeout_;
  bool verbose_ = false;
  bool no_color_ = false;
  bool no_pager_ = false;
  bool arguments_blamed_ = false;
  int status_ = 0;
  std::unique_ptr<client::Connection> connection_;
};

}  // namespace pfs::cli
