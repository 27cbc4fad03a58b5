#include <unistd.h>

#include <map>
#include <memory>

#include <fmt/format.h>

#include "base/names.h"
#include "cli/commands.h"
#include "cli/config.h"
#include "cli/local_text.h"
#include "cli/output.h"

namespace pfs::cli {
namespace {

struct Arguments {
  std::string name;
  std::string kubernetes;
  std::string metrics;
  bool overwrite = false;
  bool without_deployment = false;
  std::map<std::string, std::string> fields;  // of `update`: what was given
  OutputFlags output;
};

Result<std::string> config_path() {
  if (auto path = Config::path(real_surroundings())) return *std::move(path);
  return Error{Code::kInvalid,
               "configuration: there is no home directory for it; set HOME, or PFS_CONFIG to its "
               "file"};
}

Result<Config> loaded() {
  PFS_TRY_ASSIGN(const auto path, config_path());
  return Config::load(path);
}

Result<void> edit(const std::function<Result<void>(Config&)>& change) {
  PFS_TRY_ASSIGN(const auto path, config_path());
  return Config::edit(path, change);
}

/// An address as the file has it: with its scheme and port.
Result<std::string> normal_address(const std::string& address) {
  PFS_TRY_ASSIGN(const auto endpoint, parse_address(address, "pachd_address"));
  return endpoint.str();
}

Result<Json> context_from_stdin() {
  if (isatty(STDIN_FILENO) == 1)
    fmt::print(stderr, "Reading the context, one JSON object, from stdin; end it with ^D\n");
  PFS_TRY_ASSIGN(const auto text, local_text("-"));
  auto fields = Json::parse(text, nullptr, false);
  if (!fields.is_object()) {
    return Error{Code::kInvalid, "context: stdin is no JSON object; write for example: echo "
                                 "'{\"pachd_address\": \"grpc://host:30650\"}' | pfs config set "
                                 "context NAME"};
  }
  if (const auto address = fields.find("pachd_address"); address != fields.end()) {
    if (!address->is_string())
      return Error{Code::kInvalid, "context: pachd_address is no text"};
    PFS_TRY_ASSIGN(*address, normal_address(address->get<std::string>()));
  }
  return fields;
}

Result<void> set_context(const Arguments& arguments) {
  if (!arguments.kubernetes.empty()) {
    return Error{Code::kUnsupported, "context: nothing is read from Kubernetes' configuration; give "
                                     "the address as JSON on stdin"};
  }
  PFS_TRY_ASSIGN(auto fields, context_from_stdin());
  bool activated = false;
  PFS_TRY(edit([&](Config& config) -> Result<void> {
    if (config.context(arguments.name) && !arguments.overwrite) {
      return Error{Code::kExists, fmt::format("context {}: is there already; say --overwrite to "
                                              "replace it",
                                              printable(arguments.name))};
    }
    config.set_context(arguments.name, std::move(fields));
    // the first one is meant to be used; which of several is for `set active-context` to say
    if (!config.active_context().empty()) return {};
    activated = true;
    return config.set_active_context(arguments.name);
  }));
  if (activated) {
    fmt::print(stderr, "context {}: is the active one now, as there was none\n",
               printable(arguments.name));
  }
  return {};
}

Result<std::string> name_or_active(const Config& config, const std::string& name) {
  if (!name.empty()) return name;
  auto active = config.active_context();
  if (active.empty())
    return Error{Code::kInvalid, "no context is active; name one, or set it with: pfs config set "
                                 "active-context NAME"};
  return active;
}

Result<void> check_fields(const Arguments& arguments) {
  if (!arguments.fields.empty() || arguments.without_deployment) return {};
  return Error{Code::kInvalid,
               "context: say what to change: --pachd-address, --server-cas, --cluster-name, "
               "--auth-info, --namespace or --remove-cluster-deployment-id"};
}

Result<void> update_context(Arguments& arguments) {
  if (const auto address = arguments.fields.find("pachd_address");
      address != arguments.fields.end() && !address->second.empty()) {
    PFS_TRY_ASSIGN(address->second, normal_address(address->second));
  }
  return edit([&](Config& config) -> Result<void> {
    PFS_TRY_ASSIGN(const auto name, name_or_active(config, arguments.name));
    PFS_TRY(config.context(name));
    for (const auto& [field, value] : arguments.fields) config.set_field(name, field, value);
    if (arguments.without_deployment) config.set_field(name, "cluster_deployment_id", "");
    return {};
  });
}

Result<void> get_context(const Arguments& arguments) {
  PFS_TRY_ASSIGN(const auto config, loaded());
  PFS_TRY_ASSIGN(const auto name, name_or_active(config, arguments.name));
  PFS_TRY_ASSIGN(const auto fields, config.context(name));
  print_json(fields);
  return {};
}

Result<void> list_contexts(const Session& session, const Arguments& arguments) {
  PFS_TRY_ASSIGN(const auto config, loaded());
  const auto active = config.active_context();
  Listing listing(arguments.output, session.terminal(), {"ACTIVE", "NAME"});
  for (const auto& name : config.contexts()) {
    if (listing.json()) {
      listing.add_object({{"name", name}, {"active", name == active}});
    } else {
      listing.add_row({Cell(name == active ? "*" : ""), name});
    }
  }
  return {};
}

Result<void> get_active() {
  PFS_TRY_ASSIGN(const auto config, loaded());
  fmt::print("{}\n", printable(config.active_context()));
  return {};
}

Result<void> get_metrics() {
  PFS_TRY_ASSIGN(const auto config, loaded());
  fmt::print("{}\n", config.metrics());
  return {};
}

Result<void> set_metrics(const Arguments& arguments) {
  PFS_TRY(edit([&](Config& config) -> Result<void> {
    config.set_metrics(arguments.metrics == "true");
    return {};
  }));
  fmt::print(stderr, "pfs sends no figures about its use to anybody, whatever this says\n");
  return {};
}

void add_update(Grammar& grammar, const std::shared_ptr<Arguments>& arguments) {
  auto& updates = grammar.command("config update", "context", "Change fields of a context",
                                  [arguments] { return update_context(*arguments); },
                                  [arguments] { return check_fields(*arguments); });
  updates.add_option("context", arguments->name, "The context (default: the active one)");
  const auto field = [&](const char* flag, const char* name, const char* what) {
    updates.add_option_function<std::string>(
        flag, [arguments, name](const std::string& value) { arguments->fields[name] = value; }, what);
  };
  field("--pachd-address", "pachd_address", "Where the daemon is");
  field("--server-cas", "server_cas", "Whom to trust over TLS: PEM, in base64 or as it is");
  field("--cluster-name", "cluster_name", "Kept for pachctl");
  field("--auth-info", "auth_info", "Kept for pachctl");
  field("--namespace", "namespace", "Kept for pachctl");
  updates.add_flag("--remove-cluster-deployment-id", arguments->without_deployment,
                   "Kept for pachctl");
}

}  // namespace

void add_config_commands(Grammar& grammar, Session& session) {
  const auto arguments = std::make_shared<Arguments>();
  auto& sets = grammar.command("config set", "context",
                               "Make a context of a JSON object on stdin",
                               [arguments] { return set_context(*arguments); });
  sets.add_option("name", arguments->name, "Its name")->required();
  sets.add_flag("--overwrite", arguments->overwrite, "Also where there is one of that name");
  sets.add_option("-k,--kubernetes", arguments->kubernetes, "Not supported");

  auto& gets = grammar.command("config get", "context", "Show a context",
                               [arguments] { return get_context(*arguments); });
  gets.add_option("context", arguments->name, "The context (default: the active one)");

  auto& lists =
      grammar.command("config list", "context", "List contexts",
                      [&session, arguments] { return list_contexts(session, *arguments); });
  add_output_flags(lists, arguments->output);

  add_update(grammar, arguments);

  auto& removes = grammar.command("config delete", "context", "Forget a context", [arguments] {
    return edit([&](Config& config) { return config.remove_context(arguments->name); });
  });
  removes.add_option("context", arguments->name, "The context")->required();

  grammar.command("config get", "active-context", "Which context is used", [] { return get_active(); });
  auto& activates =
      grammar.command("config set", "active-context", "Use a context from now on", [arguments] {
        return edit([&](Config& config) { return config.set_active_context(arguments->name); });
      });
  activates.add_option("context", arguments->name, "The context")->required();

  grammar.command("config get", "metrics", "Whether figures may be sent", [] { return get_metrics(); });
  auto& metrics = grammar.command("config set", "metrics", "Kept for pachctl; nothing is sent",
                                  [arguments] { return set_metrics(*arguments); });
  metrics.add_option("value", arguments->metrics, "true or false")
      ->required()
      ->check(CLI::IsMember({"true", "false"}));
}

}  // namespace pfs::cli
