#include "cli/session.h"

#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <string_view>

#include <fmt/format.h>

#include "base/base64.h"
#include "base/duration.h"
#include "cli/address.h"
#include "cli/config.h"

namespace pfs::cli {
namespace {

Result<std::optional<Surroundings::Context>> active_context(const Surroundings& surroundings) {
  const auto path = Config::path(surroundings);
  if (!path) return std::nullopt;
  PFS_TRY_ASSIGN(const auto config, Config::load(*path));
  Surroundings::Context context;
  context.name = config.active_context();
  if (context.name.empty()) return std::nullopt;
  context.address = config.field(context.name, "pachd_address");
  context.authorities = config.field(context.name, "server_cas");
  if (context.authorities.empty() || context.authorities.starts_with("-----BEGIN")) return context;
  auto decoded = from_base64(context.authorities);
  if (!decoded) {
    return Error{Code::kInvalid, "context " + context.name +
                                     ": its server_cas is no base64; set it to the authority's PEM "
                                     "file with: pfs config update context --server-cas \"$(base64 "
                                     "-w0 FILE)\""};
  }
  context.authorities = *std::move(decoded);
  return context;
}

}  // namespace

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
  app.set_version_flag("--version", app.get_name() + " " PFS_VERSION, "Print this program's version and exit");
}

Result<client::Endpoint> Session::endpoint() const {
  auto surroundings = real_surroundings();
  surroundings.context = [&surroundings] { return active_context(surroundings); };
  return daemon_endpoint(address_, surroundings);
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
               fmt::format("{}: cannot be a part of transaction {}; finish or delete that first, or "
                           "leave it with: pfs stop transaction",
                           command, id)};
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
