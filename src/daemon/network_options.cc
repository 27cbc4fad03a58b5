#include "daemon/network_options.h"

#include <utility>

#include <fmt/format.h>

namespace pfs::daemon {
namespace {

Error network_refused(const std::string& what) { return Error{Code::kInvalid, what}; }

Result<void> check_protection(const NetworkWords& words) {
  if (words.certificate.empty() != words.key.empty()) {
    return network_refused(words.certificate.empty() ? "--tls-key: needs --tls-cert, the certificate"
                                             : "--tls-cert: needs --tls-key, the certificate's key");
  }
  if (!words.client_ca.empty() && words.certificate.empty())
    return network_refused("--tls-client-ca: needs --tls-cert and --tls-key, the daemon's own certificate");
  const bool complete = !words.client_ca.empty();
  if (words.listen.empty()) {
    if (!words.certificate.empty())
      return network_refused("--tls-cert: nothing is listened on over the network; add --listen HOST:PORT");
    if (words.insecure)
      return network_refused("--insecure: nothing is listened on over the network; add --listen HOST:PORT");
    return {};
  }
  if (complete && words.insecure)
    return network_refused("--insecure: contradicts --tls-client-ca; leave one of them out");
  if (complete || words.insecure) return {};
  const auto* const missing = words.certificate.empty()
                                  ? "--tls-cert, --tls-key and --tls-client-ca"
                                  : "--tls-client-ca";
  const auto* const who = words.certificate.empty() ? "anybody, not encrypted" : "anybody";
  return network_refused(fmt::format("--listen {}: needs {}, so that only clients with a certificate get "
                             "in; --insecure serves {}",
                             words.listen.front(), missing, who));
}

}  // namespace

void describe_network(CLI::App& app, NetworkWords& words) {
  app.add_option("--listen", words.listen,
                 "serve the API on TCP, too; may be repeated (no port: 30650)")
      ->type_name("HOST:PORT")
      ->allow_extra_args(false)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  const auto file = [&app](const std::string& name, std::string& into, const std::string& help) {
    app.add_option("--" + name, into, help)->type_name("FILE");
  };
  file("tls-cert", words.certificate, "--listen: the daemon's certificate and what signed it, PEM");
  file("tls-key", words.key, "--listen: the certificate's key, PEM");
  file("tls-client-ca", words.client_ca,
       "--listen: who signs clients' certificates, PEM; only such clients get in");
  app.add_flag("--insecure", words.insecure,
               "--listen: let in anybody, without TLS where there is no --tls-cert");
}

Result<api::TcpOptions> checked_network(const NetworkWords& words) {
  PFS_TRY(check_protection(words));
  api::TcpOptions options;
  for (const auto& text : words.listen) {
    auto address = HostPort::parse(text);
    if (!address) return std::move(address).error().within("--listen");
    options.addresses.push_back(*std::move(address));
  }
  options.certificate_path = words.certificate;
  options.key_path = words.key;
  options.client_ca_path = words.client_ca;
  return options;
}

}  // namespace pfs::daemon
