#include "base/host_port.h"

#include <catch2/catch.hpp>

namespace pfs {
namespace {

std::string read(const char* text) {
  const auto parsed = HostPort::parse(text);
  return parsed ? parsed->str() : "refused";
}

TEST_CASE("an address on the network is a host and a port, which is 30650 where it is not said",
          "[base]") {
  CHECK(read("pfs.example.org:7000") == "pfs.example.org:7000");
  CHECK(read("10.0.0.1") == "10.0.0.1:30650");
  CHECK(read("[::1]:9") == "[::1]:9");
  CHECK(read("[fe80::1]") == "[fe80::1]:30650");
}

TEST_CASE("what is no such address is refused", "[base]") {
  for (const auto* text : {"", ":1", "a:", "a:x", "a:65536", "a:1:2", "::1", "[::1", "[::1]9",
                           "u@host:1", "host/path", "host:1?q", "[]:1", "a b:1"}) {
    CAPTURE(text);
    CHECK(read(text) == "refused");
  }
}

}  // namespace
}  // namespace pfs
