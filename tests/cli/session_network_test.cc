// pfs and pfsd over TCP and TLS, and whatever else may answer where a daemon is looked for.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <memory>
#include <sstream>
#include <thread>

#include <catch2/catch.hpp>
#include <spdlog/sinks/ostream_sink.h>
#include <spdlog/spdlog.h>

#include "api/log_format.h"
#include "base/file.h"
#include "cli/pfs_session.h"
#include "support/certificates.h"

namespace pfs::test {
namespace {

/// Listens on a port of its own and answers each connection with the same bytes.
class Stranger {
 public:
  explicit Stranger(std::string answer)
      : answer_(std::move(answer)), fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in at{};
    at.sin_family = AF_INET;
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    REQUIRE(::bind(fd_.get(), reinterpret_cast<const sockaddr*>(&at), sizeof at) == 0);
    REQUIRE(::listen(fd_.get(), 8) == 0);
    thread_ = std::thread([this] { answer_all(); });
  }
  ~Stranger() {
    ::shutdown(fd_.get(), SHUT_RDWR);
    thread_.join();
  }

  std::string address() const {
    sockaddr_in at{};
    socklen_t size = sizeof at;
    ::getsockname(fd_.get(), reinterpret_cast<sockaddr*>(&at), &size);
    return "127.0.0.1:" + std::to_string(ntohs(at.sin_port));
  }

 private:
  void answer_all() {
    std::vector<UniqueFd> held;
    while (true) {
      UniqueFd connection(::accept4(fd_.get(), nullptr, nullptr, SOCK_CLOEXEC));
      if (!connection) return;
      if (!answer_.empty()) {
        // as a server that is asked first, and that does not wait for one client alone
        const timeval patience{0, 400'000};
        ::setsockopt(connection.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
        char byte = 0;
        if (::recv(connection.get(), &byte, 1, 0) == 1)
          (void)::send(connection.get(), answer_.data(), answer_.size(), MSG_NOSIGNAL);
      }
      held.push_back(std::move(connection));
    }
  }

  const std::string answer_;
  UniqueFd fd_;
  std::thread thread_;
};

TEST_CASE("a daemon that takes no connections is waited for as long as --timeout says", "[cli][session]") {
  PfsSession session;
  const auto path = session.path("full.sock");
  sockaddr_un at{};
  at.sun_family = AF_UNIX;
  REQUIRE(path.size() < sizeof at.sun_path);
  path.copy(at.sun_path, path.size());
  const auto* address = reinterpret_cast<const sockaddr*>(&at);
  const UniqueFd listener(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  REQUIRE(::bind(listener.get(), address, sizeof at) == 0);
  REQUIRE(::listen(listener.get(), 0) == 0);
  std::vector<UniqueFd> waiting;
  int connected = 0;
  while (connected == 0) {
    REQUIRE(waiting.size() < 100);
    waiting.emplace_back(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    connected = ::connect(waiting.back().get(), address, sizeof at);
  }
  session.environment = {"PFS_ADDRESS=unix:" + path};
  const auto said = session.pfs({"list", "repo", "--timeout", "200ms"});
  CHECK(said.status == 1);
  CHECK(said.err.find("takes no connections") != said.err.npos);
}

void listen(PfsSession& session, const Certificates* certificates, bool check_clients) {
  session.stop();
  session.tcp.addresses = {HostPort{"127.0.0.1", 0}};
  if (certificates != nullptr) {
    session.tcp.certificate_path = certificates->certificate("server");
    session.tcp.key_path = certificates->key("server");
    if (check_clients) session.tcp.client_ca_path = certificates->certificate("ca");
  }
  session.open();
}

std::string port_of(PfsSession& session) {
  return std::to_string(session.server().tcp_addresses().front().port);
}

TEST_CASE("a daemon on the network is not asked what to run here", "[cli]") {
  PfsSession session;
  Stranger stranger("");
  session.environment = {"PFS_ADDRESS=" + stranger.address(), "PFS_CONFIG=" + session.path("config.json")};
  const Said said = session.pfs({"debug", "datum", std::string(32, '0'), "/f"});
  CHECK(said.status != 0);
  CHECK_THAT(said.err, Catch::Contains("debug datum") && Catch::Contains("unix:PATH"));
}

TEST_CASE("over the network everything is as over the socket", "[cli][session][network]") {
  PfsSession session;
  listen(session, nullptr, false);
  session.environment = {"PFS_ADDRESS=grpc://127.0.0.1:" + port_of(session)};
  session.ok({"create", "repo", "data"});
  session.ok({"put", "file", "data@master:/a"}, "text");
  CHECK(session.ok({"get", "file", "data@master:/a"}) == "text");
  session.environment = {"PACHD_ADDRESS=localhost:" + port_of(session)};
  CHECK(session.ok({"list", "repo"}).find("data") != std::string::npos);
}

TEST_CASE("with TLS only a client whose certificate was signed gets in, and it is known by it",
          "[cli][session][network]") {
  const Certificates certificates;
  PfsSession session;
  listen(session, &certificates, true);
  const auto address = "PFS_ADDRESS=grpcs://localhost:" + port_of(session);
  const auto authority = "PFS_TLS_CA=" + certificates.certificate("ca");
  session.environment = {address, authority, "PFS_TLS_CERT=" + certificates.certificate("client"),
                         "PFS_TLS_KEY=" + certificates.key("client")};
  session.ok({"create", "repo", "data"});
  session.ok({"put", "file", "data@master:/a"}, "text");
  const auto commit = session.store().catalog().resolve(*CommitRef::parse("data@master"));
  REQUIRE(commit);
  CHECK(commit->author.find("CN=ada") != std::string::npos);

  session.environment = {address, authority};
  const auto nobody = session.pfs({"list", "repo"});
  CHECK(nobody.status == 1);
  CHECK_THAT(nobody.err, Catch::Contains("PFS_TLS_CERT"));

  session.environment = {address};
  const auto distrust = session.pfs({"list", "repo"});
  CHECK(distrust.status == 1);
  CHECK_THAT(distrust.err, Catch::Contains("PFS_TLS_CA"));

  session.environment = {"PFS_ADDRESS=grpc://localhost:" + port_of(session)};
  const auto plain = session.pfs({"list", "repo"});
  CHECK(plain.status == 1);
  CHECK_THAT(plain.err, Catch::Contains("grpcs://"));
}

TEST_CASE("a daemon does not start with files that make no TLS, or on a port that is taken",
          "[cli][session][network]") {
  const Certificates certificates;
  PfsSession session;
  session.stop();
  session.tcp.addresses = {HostPort{"127.0.0.1", 0}};
  session.tcp.certificate_path = certificates.certificate("server");
  session.tcp.key_path = certificates.key("client");
  CHECK_THROWS_WITH(session.open(), Catch::Contains("is not the key of the certificate"));
  session.stop();
  session.tcp.key_path = certificates.certificate("server");
  CHECK_THROWS_WITH(session.open(), Catch::Contains("no key in PEM form"));
  session.stop();
  session.tcp.certificate_path = session.path("nothing");
  CHECK_THROWS_WITH(session.open(), Catch::Contains("nothing"));
  session.stop();
  const Stranger stranger("");
  session.tcp = {};
  session.tcp.addresses = {*HostPort::parse(stranger.address())};
  CHECK_THROWS_WITH(session.open(), Catch::Contains("another program listens there"));
  session.stop();
  session.tcp.addresses = {HostPort{"192.0.2.1", 0}};
  CHECK_THROWS_WITH(session.open(), Catch::Contains("no address of this machine"));
}

TEST_CASE("an address where no daemon answers is an error that says what is there",
          "[cli][session][network]") {
  PfsSession session;
  const auto said_at = [&session](const std::string& address) {
    session.environment = {"PFS_ADDRESS=" + address};
    const auto said = session.pfs({"list", "repo", "--timeout", "1s"});
    CHECK(said.status == 1);
    CHECK(std::count(said.err.begin(), said.err.end(), '\n') == 1);
    return said.err;
  };
  CHECK_THAT(said_at("grpc://127.0.0.1:1"), Catch::Contains("nothing listens there"));
  CHECK_THAT(said_at("grpcs://127.0.0.1:1"), Catch::Contains("nothing listens there"));
  CHECK_THAT(said_at("grpc://no-such-host.invalid"), Catch::Contains("the host is not known"));
  const Stranger silent("");
  CHECK_THAT(said_at(silent.address()), Catch::Contains("does not answer"));
  const Stranger web("HTTP/1.1 400 Bad Request\r\n\r\n");
  CHECK_THAT(said_at(web.address()), Catch::Contains("web server"));
  const Stranger other("SSH-2.0-OpenSSH\r\n");
  CHECK_THAT(said_at(other.address()), Catch::Contains("is no pfsd"));
  CHECK_THAT(said_at("grpcs://" + web.address()), Catch::Contains("TLS"));
  make_file(session.path("file"), "");
  CHECK_THAT(said_at("unix:" + session.path("file")), Catch::Contains("is no socket; check the address"));
}

TEST_CASE("a call's log lines and its error have the same request id", "[cli][session][network]") {
  std::ostringstream log;
  const auto before = spdlog::default_logger();
  spdlog::set_default_logger(std::make_shared<spdlog::logger>(
      "test", std::make_shared<spdlog::sinks::ostream_sink_mt>(log)));
  spdlog::set_formatter(api::log_formatter());
  spdlog::set_level(spdlog::level::debug);
  {
    PfsSession session;
    session.ok({"create", "repo", "data"});
    const auto said = session.pfs({"-v", "create", "repo", "data"});
    const auto at = said.err.find("request ");
    REQUIRE(at != said.err.npos);
    const auto id = said.err.substr(at + 8, 16);
    CHECK(log.str().find("request " + id) != std::string::npos);
  }
  spdlog::set_default_logger(before);
}

}  // namespace
}  // namespace pfs::test
