#include "cli/address.h"

#include <sys/stat.h>

#include <array>
#include <cstdlib>
#include <utility>

#include <fmt/format.h>

#include "base/file.h"
#include "base/names.h"

namespace pfs::cli {
namespace {

constexpr char kMachineSocket[] = "/run/pfs/pfsd.sock";

struct Scheme {
  std::string_view prefix;
  bool tls;
};
constexpr std::array<Scheme, 4> kSchemes = {
    {{"grpc://", false}, {"http://", false}, {"grpcs://", true}, {"https://", true}}};

std::string default_socket(const Surroundings& surroundings) {
  if (const auto directory = surroundings.variable("XDG_RUNTIME_DIR")) {
    auto users = *directory + "/pfs/pfsd.sock";
    if (surroundings.exists(users)) return users;
  } else if (const auto home = surroundings.variable("HOME")) {
    // where pfsd puts it then
    auto users = *home + "/.cache/pfs/pfsd.sock";
    if (surroundings.exists(users)) return users;
  }
  return kMachineSocket;
}

Result<client::Endpoint> chosen(const std::string& flag, const Surroundings& surroundings) {
  if (!flag.empty()) return parse_address(flag, "--address");
  for (const auto* name : {"PFS_ADDRESS", "PACHD_ADDRESS"}) {
    if (const auto value = surroundings.variable(name)) return parse_address(*value, name);
  }
  std::optional<Surroundings::Context> context;
  if (surroundings.context) {
    PFS_TRY_ASSIGN(context, surroundings.context());
  }
  if (context && !context->address.empty()) {
    PFS_TRY_ASSIGN(auto endpoint,
                   parse_address(context->address, fmt::format("context {}", context->name)));
    if (endpoint.tls) endpoint.tls->authorities = context->authorities;
    return endpoint;
  }
  client::Endpoint endpoint;
  endpoint.socket_path = default_socket(surroundings);
  return endpoint;
}

Result<void> add_file(const Surroundings& surroundings, const char* variable, std::string& into) {
  const auto path = surroundings.variable(variable);
  if (!path) return {};
  auto text = surroundings.read(*path);
  if (!text) return std::move(text).error().within(variable);
  into = *std::move(text);
  return {};
}

}  // namespace

Surroundings real_surroundings() {
  Surroundings surroundings;
  surroundings.variable = [](const std::string& name) -> std::optional<std::string> {
    const char* value = std::getenv(name.c_str());
    if (value == nullptr || *value == '\0') return std::nullopt;
    return std::string(value);
  };
  surroundings.exists = [](const std::string& path) {
    struct stat found {};
    return stat(path.c_str(), &found) == 0;
  };
  surroundings.read = [](const std::string& path) { return read_file(path); };
  return surroundings;
}

Result<client::Endpoint> parse_address(std::string_view address, std::string_view from) {
  client::Endpoint endpoint;
  auto rest = address;
  if (rest.starts_with("unix:") || rest.starts_with("/")) {
    if (rest.starts_with("unix:")) rest.remove_prefix(5);
    if (rest.starts_with("//")) rest.remove_prefix(2);  // unix:///run/…
    if (rest.empty())
      return Error{Code::kInvalid, fmt::format("{}: the path is missing; write unix:PATH", from)};
    endpoint.socket_path = rest;
    return endpoint;
  }
  for (const auto& scheme : kSchemes) {
    if (!rest.starts_with(scheme.prefix)) continue;
    rest.remove_prefix(scheme.prefix.size());
    if (scheme.tls) endpoint.tls.emplace();
    break;
  }
  auto host = HostPort::parse(rest);
  if (!host) {
    return Error{Code::kInvalid, fmt::format("{}: '{}' is no address of a daemon; write unix:PATH, "
                                             "grpc://HOST:PORT or grpcs://HOST:PORT",
                                             from, printable(address))};
  }
  endpoint.host = *std::move(host);
  return endpoint;
}

Result<client::Endpoint> daemon_endpoint(const std::string& flag,
                                         const Surroundings& surroundings) {
  PFS_TRY_ASSIGN(auto endpoint, chosen(flag, surroundings));
  if (!endpoint.tls) return endpoint;
  PFS_TRY(add_file(surroundings, "PFS_TLS_CA", endpoint.tls->authorities));
  PFS_TRY(add_file(surroundings, "PFS_TLS_CERT", endpoint.tls->certificate));
  PFS_TRY(add_file(surroundings, "PFS_TLS_KEY", endpoint.tls->key));
  if (endpoint.tls->certificate.empty() != endpoint.tls->key.empty()) {
    return Error{Code::kInvalid, "PFS_TLS_CERT and PFS_TLS_KEY: one is set and the other is not; a "
                                 "client's certificate needs both"};
  }
  return endpoint;
}

}  // namespace pfs::cli
