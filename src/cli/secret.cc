#include <memory>

#include <fmt/format.h>

#include "api/client/secrets.h"
#include "cli/commands.h"
#include "cli/local_text.h"
#include "cli/output.h"
#include "cli/yaml_reader.h"

namespace pfs::cli {
namespace {

struct Arguments {
  std::string name;
  std::string source;
  OutputFlags output;
};

Json json_of(const client::Secret& secret) {
  return {{"name", secret.name}, {"type", secret.type}, {"created", json_time(secret.created)}, {"keys", secret.keys}};
}

/// As JSON; of YAML one document.
Result<std::string> manifest_in(const std::string& source) {
  PFS_TRY_ASSIGN(auto text, local_text(source));
  const auto first = text.find_first_not_of(" \t\r\n");
  if (first == text.npos || text[first] == '{') return text;
  const auto origin = source == "-" ? std::string("stdin") : source;
  auto documents = read_yaml(text);
  if (!documents) return std::move(documents).error().within(origin);
  if (documents->size() != 1 || !documents->front().is_object()) {
    return Error{Code::kInvalid, origin + ": expected one Kubernetes Secret, as JSON or YAML"};
  }
  return documents->front().dump(-1, ' ', false, Json::error_handler_t::replace);
}

Result<void> create(Session& session, const Arguments& arguments) {
  PFS_TRY(session.refuse_in_transaction("create secret"));
  PFS_TRY_ASSIGN(const auto manifest, manifest_in(arguments.source));
  PFS_TRY_ASSIGN(const auto* connection, session.connection());
  PFS_TRY(client::Secrets(*connection).create(manifest));
  return {};
}

Result<void> list(Session& session, const Arguments& arguments) {
  PFS_TRY_ASSIGN(const auto* connection, session.connection());
  PFS_TRY_ASSIGN(const auto secrets, client::Secrets(*connection).list());
  Listing listing(arguments.output, session.terminal(), {"NAME", "TYPE", "CREATED"});
  for (const auto& secret : secrets) {
    if (listing.json()) {
      listing.add_object(json_of(secret));
    } else {
      listing.add_row({secret.name, secret.type, arguments.output.time(secret.created)});
    }
  }
  return {};
}

Result<void> inspect(Session& session, const Arguments& arguments) {
  PFS_TRY_ASSIGN(const auto* connection, session.connection());
  PFS_TRY_ASSIGN(const auto secret, client::Secrets(*connection).inspect(arguments.name));
  if (arguments.output.json()) {
    print_object(arguments.output, json_of(secret));
    return {};
  }
  print_labels({{"Name", secret.name},
                {"Type", secret.type},
                {"Created", arguments.output.time(secret.created)},
                {"Keys", fmt::format("{}", fmt::join(secret.keys, ", "))}});
  return {};
}

Result<void> remove(Session& session, const Arguments& arguments) {
  PFS_TRY(session.refuse_in_transaction("delete secret"));
  PFS_TRY_ASSIGN(const auto* connection, session.connection());
  return client::Secrets(*connection).remove(arguments.name);
}

}  // namespace

void add_secret_commands(Grammar& grammar, Session& session) {
  const auto arguments = std::make_shared<Arguments>();
  auto& creates = grammar.command("create", "secret", "Keep passwords and keys for pipelines' containers",
                                  [&session, arguments] { return create(session, *arguments); });
  creates.add_option("-f,--file", arguments->source, "A Kubernetes Secret as JSON or YAML; - for stdin")->required();

  auto& lists = grammar.command("list", "secret", "List secrets, newest first",
                                [&session, arguments] { return list(session, *arguments); });
  add_output_flags(lists, arguments->output);

  auto& inspects = grammar.command("inspect", "secret", "Show a secret's type and keys, no values",
                                   [&session, arguments] { return inspect(session, *arguments); });
  inspects.add_option("secret", arguments->name, "Its name")->required();
  add_output_flags(inspects, arguments->output);

  auto& removes = grammar.command("delete", "secret", "Delete a secret; containers that have it keep it until they end",
                                  [&session, arguments] { return remove(session, *arguments); });
  removes.add_option("secret", arguments->name, "Its name")->required();
}

}  // namespace pfs::cli
