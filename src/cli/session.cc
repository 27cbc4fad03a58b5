#include "cli/session.h"

#include <unistd.h>

#include <cstdlib>

#include <fmt/format.h>

#include "cli/address.h"
#include "cli/config.h"

namespace pfs::cli {

Session::Session(Grammar& grammar) {
  auto& app = grammar.app();
  app.add_option("--address", address_,
                 "The daemon: unix:PATH (default: $PFS_ADDRESS, then its usual sockets)");
  app.add_flag("-v,--verbose", verbose_, "Say more about errors");
  app.add_flag("--no-color", no_color_, "Print no colours (as with NO_COLOR)");
}

Result<std::string> Session::socket() const { return socket_path(address_, real_surroundings()); }

Result<const client::Connection*> Session::connection() {
  if (!connection_) {
    PFS_TRY_ASSIGN(const auto path, socket());
    PFS_TRY_ASSIGN(connection_, client::Connection::to_socket(path));
  }
  return connection_.get();
}

Result<std::string> Session::transaction() const {
  const auto path = Config::path(real_surroundings());
  if (!path) return std::string();
  PFS_TRY_ASSIGN(const auto config, Config::load(*path));
  return config.active_transaction();
}

Result<void> Session::change(const std::function<Result<void>(const client::Connection&)>& call) {
  PFS_TRY_ASSIGN(const auto id, transaction());
  PFS_TRY(connection());
  connection_->set_transaction(id);
  auto done = call(*connection_);
  connection_->set_transaction("");
  PFS_TRY(std::move(done));
  // not on stdout, where scripts look for the ids of commits
  if (!id.empty()) fmt::print(stderr, "added to transaction {}\n", id);
  return {};
}

Result<void> Session::refuse_in_transaction(const std::string& command) const {
  PFS_TRY_ASSIGN(const auto id, transaction());
  if (id.empty()) return {};
  return Error{Code::kUnsupported,
               fmt::format("{}: cannot be a part of transaction {}; finish that first, or leave it "
                           "with: pfs stop transaction",
                           command, id)};
}

Terminal Session::terminal() const {
  Terminal terminal;
  terminal.interactive = isatty(STDOUT_FILENO) == 1;
  terminal.colour = terminal.interactive && !no_color_ && std::getenv("NO_COLOR") == nullptr;
  return terminal;
}

}  // namespace pfs::cli
