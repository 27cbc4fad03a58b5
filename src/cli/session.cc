#include "cli/session.h"

#include <unistd.h>

#include <cstdlib>

#include "cli/address.h"

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

Terminal Session::terminal() const {
  Terminal terminal;
  terminal.interactive = isatty(STDOUT_FILENO) == 1;
  terminal.colour = terminal.interactive && !no_color_ && std::getenv("NO_COLOR") == nullptr;
  return terminal;
}

}  // namespace pfs::cli
