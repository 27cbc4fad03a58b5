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

std::string path_of(const Result<std::string>& path) {
  return path ? *path : "error: " + path.error().message;
}

TEST_CASE("an address is unix:PATH, or an absolute path", "[cli][address]") {
  CHECK(path_of(socket_path("unix:/a/b.sock", surroundings({}))) == "/a/b.sock");
  CHECK(path_of(socket_path("unix:///a/b.sock", surroundings({}))) == "/a/b.sock");
  CHECK(path_of(socket_path("unix:b.sock", surroundings({}))) == "b.sock");
  CHECK(path_of(socket_path("/a/b.sock", surroundings({}))) == "/a/b.sock");
}

TEST_CASE("an address of another kind is refused", "[cli][address]") {
  const auto tcp = socket_path("grpc://example.com:30650", surroundings({}));
  REQUIRE_FALSE(tcp);
  CHECK(tcp.error().code == Code::kUnsupported);
  const auto empty = socket_path("unix:", surroundings({}));
  REQUIRE_FALSE(empty);
  CHECK(empty.error().code == Code::kInvalid);
}

TEST_CASE("the flag goes before the variables, and ours before pachctl's", "[cli][address]") {
  const auto both =
      surroundings({{"PFS_ADDRESS", "unix:/ours"}, {"PACHD_ADDRESS", "unix:/theirs"}});
  CHECK(path_of(socket_path("unix:/flag", both)) == "/flag");
  CHECK(path_of(socket_path("", both)) == "/ours");
  CHECK(path_of(socket_path("", surroundings({{"PACHD_ADDRESS", "unix:/theirs"}}))) == "/theirs");
}

TEST_CASE("without an address the user's own daemon goes before the machine's", "[cli][address]") {
  const std::map<std::string, std::string> variables = {{"XDG_RUNTIME_DIR", "/run/user/7"}};
  CHECK(path_of(socket_path("", surroundings(variables, {"/run/user/7/pfs/pfsd.sock"}))) ==
        "/run/user/7/pfs/pfsd.sock");
  CHECK(path_of(socket_path("", surroundings(variables))) == "/run/pfs/pfsd.sock");
  CHECK(path_of(socket_path("", surroundings({}))) == "/run/pfs/pfsd.sock");
  // where there is no session's directory, pfsd has put it below the home
  CHECK(path_of(socket_path("", surroundings({{"HOME", "/home/u"}}, {"/home/u/.cache/pfs/pfsd.sock"}))) ==
        "/home/u/.cache/pfs/pfsd.sock");
}

}  // namespace
}  // namespace pfs::cli
