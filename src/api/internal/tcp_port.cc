#include "api/internal/tcp_port.h"

#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <cstdlib>
#include <ctime>

#include <boost/filesystem.hpp>
#include <fmt/format.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include "api/wire/keepalive.h"
#include "base/file.h"

namespace pfs::api {
namespace {

template <auto kFree>
struct Freed {
  template <class T>
  void operator()(T* object) const {
    kFree(object);
  }
};
using Bio = std::unique_ptr<BIO, Freed<BIO_free>>;
using Certificate = std::unique_ptr<X509, Freed<X509_free>>;
using Key = std::unique_ptr<EVP_PKEY, Freed<EVP_PKEY_free>>;

Bio reader_of(const std::string& pem) {
  return Bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
}

Result<Certificate> first_certificate(const std::string& path, const std::string& pem) {
  const auto reader = reader_of(pem);
  Certificate certificate(PEM_read_bio_X509(reader.get(), nullptr, nullptr, nullptr));
  ERR_clear_error();
  if (!certificate)
    return Error{Code::kInvalid, fmt::format("{}: no certificate in PEM form is in it", path)};
  if (X509_cmp_current_time(X509_get0_notAfter(certificate.get())) < 0)
    return Error{Code::kInvalid, fmt::format("{}: the certificate is out of date; make a new one",
                                             path)};
  return certificate;
}

Result<void> check_pair(const TcpOptions& options, const grpc::SslServerCredentialsOptions& files) {
  const auto& pair = files.pem_key_cert_pairs.front();
  PFS_TRY_ASSIGN(const auto certificate,
                 first_certificate(options.certificate_path, pair.cert_chain));
  const auto reader = reader_of(pair.private_key);
  // a callback of ours, so that nobody is asked for a passphrase on the terminal
  const Key key(PEM_read_bio_PrivateKey(
      reader.get(), nullptr, [](char*, int, int, void*) { return -1; }, nullptr));
  ERR_clear_error();
  if (!key)
    return Error{Code::kInvalid,
                 fmt::format("{}: no key in PEM form without a passphrase is in it",
                             options.key_path)};
  const bool fits = X509_check_private_key(certificate.get(), key.get()) == 1;
  ERR_clear_error();
  if (!fits) {
    return Error{Code::kInvalid, fmt::format("{}: is not the key of the certificate in {}",
                                             options.key_path, options.certificate_path)};
  }
  return {};
}

}  // namespace

Result<std::shared_ptr<grpc::ServerCredentials>> credentials_of(const TcpOptions& options) {
  if (options.certificate_path.empty()) return grpc::InsecureServerCredentials();
  grpc::SslServerCredentialsOptions files(GRPC_SSL_DONT_REQUEST_CLIENT_CERTIFICATE);
  auto& pair = files.pem_key_cert_pairs.emplace_back();
  PFS_TRY_ASSIGN(pair.cert_chain, read_file(options.certificate_path));
  PFS_TRY_ASSIGN(pair.private_key, read_file(options.key_path));
  PFS_TRY(check_pair(options, files));
  if (!options.client_ca_path.empty()) {
    PFS_TRY_ASSIGN(files.pem_root_certs, read_file(options.client_ca_path));
    PFS_TRY(first_certificate(options.client_ca_path, files.pem_root_certs));
    files.client_certificate_request = GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY;
  }
  return grpc::SslServerCredentials(files);
}

Result<void> check_free(const HostPort& address) {
  addrinfo wanted{};
  wanted.ai_family = AF_UNSPEC;
  wanted.ai_socktype = SOCK_STREAM;
  wanted.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
  addrinfo* found = nullptr;
  const int failed = getaddrinfo(address.host.c_str(), fmt::format("{}", address.port).c_str(),
                                 &wanted, &found);
  if (failed != 0) {
    return Error{Code::kInvalid,
                 fmt::format("listen on {}: {}", address.str(), gai_strerror(failed))};
  }
  const std::unique_ptr<addrinfo, Freed<freeaddrinfo>> owned(found);
  const UniqueFd fd(socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!fd) return error_from_errno(errno, "listen on " + address.str());
  const int on = 1;  // as gRPC: what a daemon before us left in TIME_WAIT is no obstacle
  setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (bind(fd.get(), found->ai_addr, found->ai_addrlen) == 0) return {};
  switch (errno) {
    case EADDRINUSE:
      return Error{Code::kBusy, fmt::format("listen on {}: another program listens there; stop it "
                                            "or choose another port",
                                            address.str())};
    case EADDRNOTAVAIL:
      return Error{Code::kInvalid, fmt::format("listen on {}: is no address of this machine; "
                                               "0.0.0.0 is all of them",
                                               address.str())};
    default: return error_from_errno(errno, "listen on " + address.str());
  }
}

// gRPC keeps its sockets to itself, so they are looked for. Its own pings would do harm: a client that reads its stdin, or
// waits for who reads the terminal, does not answer them, but its kernel does.
void probe_idle_clients(std::uint16_t port) {
  boost::system::error_code error;
  for (boost::filesystem::directory_iterator entry("/proc/self/fd", error), end; !error && entry != end; entry.increment(error)) {
    const int fd = std::atoi(entry->path().filename().c_str());
    int listens = 0;
    socklen_t length = sizeof listens;
    if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &length) != 0 || listens == 0) continue;
    sockaddr_storage address{};
    length = sizeof address;
    if (getsockname(fd, reinterpret_cast<sockaddr*>(&address), &length) != 0) continue;
    const bool v6 = address.ss_family == AF_INET6;
    if (!v6 && address.ss_family != AF_INET) continue;
    const auto bound = v6 ? reinterpret_cast<const sockaddr_in6&>(address).sin6_port : reinterpret_cast<const sockaddr_in&>(address).sin_port;
    if (ntohs(bound) == port) set_keepalive(fd);
  }
}

}  // namespace pfs::api
