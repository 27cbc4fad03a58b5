#include <memory>

#include <fmt/format.h>

#include "api/client/transactions.h"
#include "cli/commands.h"
#include "cli/config.h"
#include "cli/output.h"

namespace pfs::cli {
namespace {

struct Arguments {
  std::string id;
  OutputFlags output;
};

Result<std::string> config_path() {
  if (auto path = Config::path(real_surroundings())) return *path;
  return Error{Code::kInvalid,
               "transaction: there is no place to keep its id; set HOME or PFS_CONFIG"};
}

/// Remembers the transaction that commands are added to; empty: none.
Result<void> remember(const std::string& id) {
  PFS_TRY_ASSIGN(const auto path, config_path());
  return Config::edit(path, [&id](Config& config) -> Result<void> {
    config.set_active_transaction(id);
    return {};
  });
}

Result<void> forget(Session& session, const std::string& id) {
  PFS_TRY_ASSIGN(const auto active, session.transaction());
  return active == id ? remember("") : Result<void>();
}

/// The one that is named, or the active one.
Result<std::string> chosen(Session& session, const Arguments& arguments) {
  if (!arguments.id.empty()) return arguments.id;
  PFS_TRY_ASSIGN(auto active, session.transaction());
  if (!active.empty()) return active;
  return Error{Code::kInvalid, "transaction: none is active; name one, see: pfs list transaction"};
}

Json json_of(const client::Transaction& transaction) {
  return {{"id", transaction.id},
          {"started", json_time(transaction.started)},
          {"requests", transaction.requests}};
}

Result<void> start(Session& session) {
  PFS_TRY(config_path());
  PFS_TRY_ASSIGN(const auto active, session.transaction());
  if (!active.empty()) {
    return Error{Code::kBusy, fmt::format("transaction {}: is active; finish it, or leave it with: "
                                          "pfs stop transaction",
                                          active)};
  }
  PFS_TRY_ASSIGN(const auto* connection, session.connection());
  PFS_TRY_ASSIGN(const auto started, client::Transactions(*connection).start());
  PFS_TRY(remember(started.id));
  fmt::print("Started new transaction: \"{}\"\n", started.id);
  return {};
}

Result<void> finish(Session& session, const Arguments& arguments) {
  PFS_TRY_ASSIGN(const auto id, chosen(session, arguments));
  PFS_TRY_ASSIGN(const auto* connection, session.connection());
  PFS_TRY_ASSIGN(const auto done, client::Transactions(*connection).finish(id));
  PFS_TRY(forget(session, id));
  fmt::print("Completed transaction with {} requests: \"{}\"\n", done.requests.size(), id);
  return {};
}

Result<void> stop(Session& session) {
  PFS_TRY_ASSIGN(const auto active, session.transaction());
  if (active.empty()) return Error{Code::kInvalid, "transaction: none is active"};
  PFS_TRY(remember(""));
  fmt::print("Left transaction: \"{0}\"; go on with: pfs resume transaction {0}\n", active);
  return {};
}

Result<void> resume(Session& session, const Arguments& arguments) {
  PFS_TRY_ASSIGN(const auto active, session.transaction());
  if (!active.empty() && active != arguments.id) {
    return Error{Code::kBusy,
                 fmt::format("transaction {}: is active; finish or stop it first", active)};
  }
  PFS_TRY_ASSIGN(const auto* connection, session.connection());
  PFS_TRY_ASSIGN(const auto found, client::Transactions(*connection).inspect(arguments.id));
  PFS_TRY(remember(found.id));
  fmt::print("Resuming existing transaction with {} requests: \"{}\"\n", found.requests.size(),
             found.id);
  return {};
}

Result<void> remove(Session& session, const Arguments& arguments) {
  PFS_TRY_ASSIGN(const auto id, chosen(session, arguments));
  PFS_TRY_ASSIGN(const auto* connection, session.connection());
  auto removed = client::Transactions(*connection).remove(id);
  // one that is gone already is not active any more, either
  if (removed || removed.error().code == Code::kNotFound) PFS_TRY(forget(session, id));
  return removed;
}

Result<void> list(Session& session, const Arguments& arguments) {
  PFS_TRY_ASSIGN(const auto* connection, session.connection());
  PFS_TRY_ASSIGN(const auto all, client::Transactions(*connection).list());
  Listing listing(arguments.output, session.terminal(), {"TRANSACTION", "STARTED", "OPS"});
  for (const auto& transaction : all) {
    if (listing.json()) {
      listing.add_object(json_of(transaction));
    } else {
      listing.add_row({transaction.id, arguments.output.time(transaction.started),
                       std::to_string(transaction.requests.size())});
    }
  }
  return {};
}

Result<void> inspect(Session& session, const Arguments& arguments) {
  PFS_TRY_ASSIGN(const auto id, chosen(session, arguments));
  PFS_TRY_ASSIGN(const auto* connection, session.connection());
  PFS_TRY_ASSIGN(const auto transaction, client::Transactions(*connection).inspect(id));
  if (arguments.output.json()) {
    print_object(arguments.output, json_of(transaction));
    return {};
  }
  std::vector<std::pair<std::string, std::string>> lines{
      {"ID", transaction.id}, {"Started", arguments.output.time(transaction.started)}};
  for (std::size_t i = 0; i < transaction.requests.size(); ++i) {
    lines.emplace_back(fmt::format("Request {}", i + 1), transaction.requests[i]);
  }
  print_labels(lines);
  return {};
}

}  // namespace

void add_transaction_commands(Grammar& grammar, Session& session) {
  const auto arguments = std::make_shared<Arguments>();
  const auto takes_id = [&arguments](CLI::App& command) {
    return command.add_option("transaction", arguments->id, "Its id; the active one by default");
  };
  grammar.command("start", "transaction",
                  "Have the commands that follow carried out together, or not at all",
                  [&session] { return start(session); });
  takes_id(grammar.command("finish", "transaction", "Carry a transaction out",
                           [&session, arguments] { return finish(session, *arguments); }));
  grammar.command("stop", "transaction", "Leave the active transaction; it stays on the server",
                  [&session] { return stop(session); });
  takes_id(grammar.command("resume", "transaction", "Make a transaction the active one again",
                           [&session, arguments] { return resume(session, *arguments); }))
      ->required();
  takes_id(grammar.command("delete", "transaction", "Forget a transaction and what is in it",
                           [&session, arguments] { return remove(session, *arguments); }));
  auto& lists = grammar.command("list", "transaction", "List transactions, newest first",
                                [&session, arguments] { return list(session, *arguments); });
  add_output_flags(lists, arguments->output);
  auto& inspects = grammar.command("inspect", "transaction", "Show what a transaction will do",
                                   [&session, arguments] { return inspect(session, *arguments); });
  takes_id(inspects);
  add_output_flags(inspects, arguments->output);
}

}  // namespace pfs::cli
