#include "cli/address.h"

#include <map>
#include <set>

#include <catch2/catch.hpp>

namespace pfs::cli {
namespace {

Surroundings surroundings(std::map<std::string, std::string> variables,
                          std::set<std::string> files = {}) {
  Surroundings made;
  made.variable = [variables](const std::string& name) -> std::optional<std::string> {
    const auto found = variables.find(name);
    return found == variables.end() ? std::nullopt : std::optional(found->second);
  };
  made.exists = [files](const std::string& path) { return files.count(path) != 0; };
  return made;
}

std::string written(const Result<client::Endpoint>& endpoint) {
  return endpoint ? endpoint->str() : "error: " + endpoint.error().message;
}

std::string read(const char* address) { return written(parse_address(address, "--address")); }

TEST_CASE("an address of a socket is unix:PATH, or an absolute path", "[cli][address]") {
  CHECK(read("unix:/a/b.sock") == "unix:/a/b.sock");
  CHECK(read("unix:///a/b.sock") == "unix:/a/b.sock");
  CHECK(read("unix:b.sock") == "unix:b.sock");
  CHECK(read("/a/b.sock") == "unix:/a/b.sock");
}

TEST_CASE("an address on the network has a scheme, a host and a port, of which only the host must be",
          "[cli][address]") {
  CHECK(read("grpc://example.com:7") == "grpc://example.com:7");
  CHECK(read("http://example.com") == "grpc://example.com:30650");
  CHECK(read("example.com") == "grpc://example.com:30650");
  CHECK(read("10.1.2.3:650") == "grpc://10.1.2.3:650");
  CHECK(read("grpcs://[::1]") == "grpcs://[::1]:30650");
  CHECK(read("https://example.com:443") == "grpcs://example.com:443");
}

TEST_CASE("an address with more in it, or less, is refused", "[cli][address]") {
  for (const auto* text : {"", "unix:", "grpc://", "grpc://u@host", "grpc://host/path", "host?q",
                           "host#f", "ftp://host", "host:port", "grpc://:1"}) {
    CAPTURE(text);
    const auto refused = parse_address(text, "--address");
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == Code::kInvalid);
  }
}

TEST_CASE("the flag goes before the variables, ours before pachctl's, both before the context",
          "[cli][address]") {
  auto all = surroundings({{"PFS_ADDRESS", "unix:/ours"}, {"PACHD_ADDRESS", "unix:/theirs"}});
  all.context = [] {
    return Result<std::optional<Surroundings::Context>>(
        Surroundings::Context{"work", "grpc://work", ""});
  };
  CHECK(written(daemon_endpoint("unix:/flag", all)) == "unix:/flag");
  CHECK(written(daemon_endpoint("", all)) == "unix:/ours");
  auto fewer = surroundings({{"PACHD_ADDRESS", "unix:/theirs"}});
  fewer.context = all.context;
  CHECK(written(daemon_endpoint("", fewer)) == "unix:/theirs");
  auto none = surroundings({{"XDG_RUNTIME_DIR", "/run/user/7"}}, {"/run/user/7/pfs/pfsd.sock"});
  none.context = all.context;
  CHECK(written(daemon_endpoint("", none)) == "grpc://work:30650");
}

TEST_CASE("without an address the user's own daemon goes before the machine's", "[cli][address]") {
  const std::map<std::string, std::string> variables = {{"XDG_RUNTIME_DIR", "/run/user/7"}};
  CHECK(written(daemon_endpoint("", surroundings(variables, {"/run/user/7/pfs/pfsd.sock"}))) ==
        "unix:/run/user/7/pfs/pfsd.sock");
  CHECK(written(daemon_endpoint("", surroundings(variables))) == "unix:/run/pfs/pfsd.sock");
  CHECK(written(daemon_endpoint("", surroundings({}))) == "unix:/run/pfs/pfsd.sock");
  // where there is no session's directory, pfsd has put it below the home
  CHECK(written(daemon_endpoint(
            "", surroundings({{"HOME", "/home/u"}}, {"/home/u/.cache/pfs/pfsd.sock"}))) ==
        "unix:/home/u/.cache/pfs/pfsd.sock");
}

TEST_CASE("a client's certificate without its key is refused, and so is a file that is not there",
          "[cli][address]") {
  auto half = surroundings({{"PFS_ADDRESS", "grpcs://host"}, {"PFS_TLS_CERT", "/c"}});
  half.read = [](const std::string& path) { return Result<std::string>("PEM of " + path); };
  CHECK_FALSE(daemon_endpoint("", half));
  auto whole = surroundings(
      {{"PFS_ADDRESS", "grpcs://host"}, {"PFS_TLS_CERT", "/c"}, {"PFS_TLS_KEY", "/k"}});
  whole.read = half.read;
  const auto endpoint = daemon_endpoint("", whole);
  REQUIRE(endpoint);
  CHECK(endpoint->tls->certificate == "PEM of /c");
  CHECK(endpoint->tls->key == "PEM of /k");
  whole.read = [](const std::string& path) -> Result<std::string> {
    return Error{Code::kNotFound, path};
  };
  CHECK_FALSE(daemon_endpoint("", whole));
}

}  // namespace
}  // namespace pfs::cli
