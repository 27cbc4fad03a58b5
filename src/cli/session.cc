#include "cli/session.h"

#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <string_view>

#include "base/duration.h"
#include "cli/address.h"

namespace pfs::cli {

Session::Session(Grammar& grammar) {
  auto& app = grammar.app();
  app.add_option("--address", address_,
                 "The daemon: unix:PATH, grpc://HOST:PORT or grpcs://HOST:PORT (default: "
                 "$PFS_ADDRESS, $PACHD_ADDRESS, the active context, then its usual sockets)");
  app.add_option("--timeout", timeout_,
                 "Give up on a call that takes longer: 500ms, 5s, 2m (default: wait)")
      ->check([](const std::string& text) {
        const auto parsed = parse_duration(text);
        return parsed ? std::string() : parsed.error().message;
      });
  app.add_flag("-v,--verbose", verbose_, "Say more about errors");
  app.add_flag("--no-color", no_color_, "Print no colours (as with NO_COLOR)");
  app.add_flag("--no-pager", no_pager_, "Print lists all at once, also on a terminal");
}

Result<client::Endpoint> Session::endpoint() const {
  return daemon_endpoint(address_, real_surroundings());
}

Result<const client::Connection*> Session::connection() {
  if (connection_) return connection_.get();
  PFS_TRY_ASSIGN(const auto endpoint, this->endpoint());
  client::Patience patience;
  patience.call = default_timeout_;
  if (!timeout_.empty()) {
    PFS_TRY_ASSIGN(patience.call, parse_duration(timeout_));
  }
  if (patience.call) patience.greeting = std::min(patience.greeting, *patience.call);
  PFS_TRY_ASSIGN(connection_, client::Connection::open(endpoint, patience));
  return connection_.get();
}

Terminal Session::terminal() const {
  Terminal terminal;
  terminal.interactive = isatty(STDOUT_FILENO) == 1;
  const auto is_set = [](const char* name) {
    const char* value = std::getenv(name);
    return value != nullptr && *value != '\0';
  };
  const char* kind = std::getenv("TERM");
  const bool dumb = kind == nullptr || std::string_view(kind) == "dumb";
  // NO_COLOR counts when it is not empty: no-color.org
  terminal.colour = terminal.interactive && !dumb && !no_color_ && !is_set("NO_COLOR");
  terminal.pager = terminal.interactive && !dumb && !no_pager_;
  return terminal;
}

}  // namespace pfs::cli
