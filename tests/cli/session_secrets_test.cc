// Secrets at the shell; what containers get of them is tested in tests/semantics.
#include <catch2/catch.hpp>

#include "cli/pfs_session.h"

namespace pfs::test {
namespace {

const char* const kManifest = R"({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "access"},
  "data": {"auth_token": "aHVudGVyMg=="}})";

TEST_CASE("secrets are made from JSON or YAML, listed, shown without a value, and deleted", "[cli][session]") {
  PfsSession session;
  make_file(session.path("access.json"), kManifest);
  CHECK(session.ok({"create", "secret", "-f", session.path("access.json")}).empty());
  session.ok({"create", "secret", "-f", "-"},
             "apiVersion: v1\nkind: Secret\nmetadata:\n  name: other\ntype: Opaque\nstringData:\n  pin: \"0123\"\n");

  const auto list = session.ok({"list", "secret"});
  CHECK_THAT(list, Catch::StartsWith("NAME   TYPE   CREATED\nother  Opaque "));
  CHECK_THAT(list, Catch::Contains("\naccess Opaque "));
  CHECK_THAT(session.ok({"inspect", "secret", "access"}),
             Catch::Contains("Name: access\nType: Opaque\n") && Catch::Contains("Keys: auth_token\n"));
  const auto shown = session.ok({"inspect", "secret", "access", "--raw"}) + session.ok({"list", "secret", "-o", "yaml"});
  CHECK_THAT(shown, Catch::Contains("auth_token") && !Catch::Contains("hunter2") && !Catch::Contains("aHVudGVyMg"));
  CHECK(session.ok({"__complete", "inspect", "secret", "a"}) == "access\n");

  session.ok({"delete", "secret", "other"});
  CHECK(session.ok({"list", "secret", "-o", "json"}).find("other") == std::string::npos);
}

TEST_CASE("a secret that cannot be made is refused, and what is in it is not told", "[cli][session]") {
  PfsSession session;
  session.ok({"create", "secret", "-f", "-"}, kManifest);
  const auto refused = [&](const std::string& text) {
    const auto said = session.pfs({"create", "secret", "-f", "-"}, text);
    CHECK(said.status == 1);
    CHECK_THAT(said.err + said.out, !Catch::Contains("hunter2"));
    return said.err;
  };
  CHECK_THAT(refused(kManifest), Catch::Contains("secret 'access': is there already; `pfs delete secret access` first"));
  CHECK_THAT(refused(R"({"kind": "Secret", "metadata": {"name": "x"}, "data": {"k": "hunter2!"}})"), Catch::Contains("data.k"));
  CHECK_THAT(refused("hunter2"), Catch::Contains("stdin: expected one Kubernetes Secret"));
  CHECK_THAT(refused("a: hunter2\n---\nb: hunter2\n"), Catch::Contains("stdin: expected one Kubernetes Secret"));
  CHECK_THAT(refused(""), Catch::Contains("expected one JSON object"));
  CHECK_THAT(session.pfs({"delete", "secret", "nothing"}).err, Catch::Contains("secret 'nothing': no such secret"));
  CHECK_THAT(session.pfs({"inspect", "secret", "../x"}).err, Catch::Contains("secret '../x'"));
}

}  // namespace
}  // namespace pfs::test
