// Contexts, the doctor, completion and the manual, as a person meets them.
#include <sys/stat.h>
#include <unistd.h>

#include <catch2/catch.hpp>

#include "cli/pfs_session.h"
#include "cli/recorded_pipelines.h"

namespace pfs::test {
namespace {

/// A session whose `pfs` has a home of its own, and no address but that of the configuration.
void move_in(PfsSession& session) {
  session.environment = {"PFS_CONFIG=" + session.path("config.json"), "PATH=/usr/bin:/bin"};
}

TEST_CASE("a context says where the daemon is", "[cli][session][config]") {
  PfsSession session;
  move_in(session);
  const auto home = R"({"pachd_address": "unix:)" + session.socket() + R"("})";
  CHECK(session.ok({"config", "set", "context", "home"}, home).empty());
  CHECK(session.ok({"config", "set", "active-context", "home"}).empty());
  CHECK(session.ok({"config", "get", "active", "context"}) == "home\n");
  session.ok({"create", "repo", "data"});
  CHECK(session.ok({"list", "repo"}).find("data") != std::string::npos);

  CHECK(session.pfs({"config", "set", "context", "home"}, "{}").status == 1);
  session.ok({"config", "set", "context", "far"}, R"({"pachd_address": "http://pfs.example.org"})");
  CHECK(session.ok({"config", "get", "context", "far"}).find("\"grpc://pfs.example.org:30650\"") !=
        std::string::npos);
  CHECK(session.ok({"config", "list", "context"}) == "ACTIVE NAME\n*      home\n       far\n");
  session.ok({"config", "update", "context", "far", "--pachd-address", "grpcs://other:7"});
  CHECK(session.ok({"config", "get", "context", "far"}).find("grpcs://other:7") !=
        std::string::npos);
  session.ok({"config", "delete", "context", "far"});
  CHECK(session.pfs({"config", "get", "context", "far"}).status == 1);
}

TEST_CASE("the first context is the active one at once, and a second is not", "[cli][session][config]") {
  PfsSession session;
  move_in(session);
  const auto home = R"({"pachd_address": "unix:)" + session.socket() + R"("})";
  const auto first = session.pfs({"config", "set", "context", "default", "--overwrite"}, home);
  CHECK(first.status == 0);
  CHECK(first.err == "context default: is the active one now, as there was none\n");
  session.ok({"create", "repo", "data"});
  CHECK(session.pfs({"config", "set", "context", "far"}, R"({"pachd_address": "far:7"})").err.empty());
  CHECK(session.ok({"config", "get", "active-context"}) == "default\n");
  CHECK(session.ok({"list", "repo"}).find("data") != std::string::npos);
}

TEST_CASE("what is no context or no address is refused, and nothing is changed",
          "[cli][session][config]") {
  PfsSession session;
  move_in(session);
  for (const auto* text : {"", "[]", "{", R"({"pachd_address": 5})", R"({"pachd_address": "a/b"})"}) {
    CAPTURE(text);
    const auto said = session.pfs({"config", "set", "context", "bad"}, text);
    CHECK(said.status == 1);
    CHECK(said.out.empty());
    CHECK_FALSE(said.err.empty());
  }
  CHECK(session.ok({"config", "list", "context"}) == "ACTIVE NAME\n");
  CHECK(session.pfs({"config", "set", "active-context", "nowhere"}).status == 1);
  CHECK(session.pfs({"config", "update", "context", "--namespace", "x"}).status == 1);
  CHECK(session.pfs({"config", "update", "context"}).status == 2);
  session.ok({"config", "set", "context", "tls"},
             R"({"pachd_address": "grpcs://127.0.0.1:1", "server_cas": "?"})");
  session.ok({"config", "set", "active-context", "tls"});
  CHECK_THAT(session.pfs({"list", "repo"}).err, Catch::Contains("server_cas is no base64"));
}

TEST_CASE("metrics can be set as ever, and it is said that nothing is sent",
          "[cli][session][config]") {
  PfsSession session;
  move_in(session);
  const auto said = session.pfs({"config", "set", "metrics", "false"});
  CHECK(said.status == 0);
  CHECK_THAT(said.err, Catch::Contains("sends no figures"));
  CHECK(session.ok({"config", "get", "metrics"}) == "false\n");
  CHECK(session.pfs({"config", "set", "metrics", "perhaps"}).status == 2);
}

TEST_CASE("the doctor has a line for each thing, and its status says whether one is an error",
          "[cli][session][doctor]") {
  PfsSession session;
  const auto store = session.path("store");
  const auto said = session.pfs({"doctor", "--store", store});
  for (const auto* part : {"/dev/fuse", "containers", "port 30650", "clock", "files", "processes",
                           "pfs-store 1", "is open in process ", "room for ", "pfsd 9.9.9 answers",
                           "this daemon runs no pipelines"}) {
    CAPTURE(part);
    CHECK_THAT(said.out, Catch::Contains(part));
  }
  CHECK(said.status == (said.out.find("\nerror") == said.out.npos ? 0 : 1));

  session.environment = {"PFS_ADDRESS=unix:" + session.socket(), "PATH=" + session.path("nowhere")};
  const auto without_podman = session.pfs({"doctor", "--store", store});
  CHECK(without_podman.status == 1);
  CHECK_THAT(without_podman.out, Catch::Contains("apt-get install podman"));

  make_file(session.path("FORMAT"), "pfs-store 999\n");
  const auto newer = session.pfs({"doctor", "--store", session.path("")});
  CHECK(newer.status == 1);
  CHECK_THAT(newer.out, Catch::Contains("no format that this version reads"));

  session.stop();
  const auto stopped = session.pfs({"doctor", "-o", "json", "--store", store});
  CHECK(stopped.status == 1);
  CHECK_THAT(stopped.out, Catch::Contains("\"state\": \"error\",\n  \"what\": \"daemon\""));
  CHECK_THAT(stopped.out, Catch::Contains("systemctl restart pfsd"));
  CHECK_THAT(stopped.out, Catch::Contains("nobody has it open"));
}

TEST_CASE("podman is not missed where the daemon has an engine that works", "[cli][session][doctor]") {
  RecordedPipelines pipelines;
  PfsSession session(&pipelines);
  session.environment = {"PFS_ADDRESS=unix:" + session.socket(), "PATH=" + session.path("nowhere")};
  const auto said = session.pfs({"doctor", "--store", session.path("store"), "-o", "json"});
  CHECK_THAT(said.out, Catch::Contains("\"state\": \"ok\",\n  \"what\": \"containers\""));
  CHECK_THAT(said.out, !Catch::Contains("apt-get install podman"));
}

TEST_CASE("bash completes names by asking the daemon", "[cli][session][completion]") {
  PfsSession session;
  session.ok({"create", "repo", "data"});
  session.ok({"create", "repo", "edges"});
  session.ok({"put", "file", "data@master:/a"}, "text");
  CHECK(session.ok({"__complete", "inspect", "repo", ""}) == "edges\ndata\n");
  CHECK(session.ok({"__complete", "inspect", "branch", "da"}) == "data@\n");
  CHECK(session.ok({"__complete", "inspect", "branch", "data@"}) == "data@master\n");
  CHECK(session.ok({"__complete", "inspect", "branch", "@@"}).empty());
  make_file(session.path("completion"), session.ok({"completion", "bash"}));
  make_file(session.path("ask"), "source " + session.path("completion") +
                                     "\nCOMP_LINE=\"" PFS_BINARY
                                     " inspect branch data@m\"\nCOMP_POINT=${#COMP_LINE}\n_pfs\n"
                                     "echo \"${COMPREPLY[*]}\" >" +
                                     session.path("completed") + "\n");
  REQUIRE(std::system(("PFS_ADDRESS=unix:" + session.socket() + " bash " + session.path("ask")).c_str()) == 0);
  CHECK(text_of_file(session.path("completed")) == "master\n");
  session.stop();
  const auto nobody = session.pfs({"__complete", "inspect", "repo", ""});
  CHECK(nobody.status == 0);
  CHECK(nobody.out.empty());
  CHECK(nobody.err.empty());
}

TEST_CASE("man(1) takes the manual without a complaint", "[cli][session][manual]") {
  PfsSession session;
  make_file(session.path("pfs.1"), session.ok({"help", "--man"}));
  if (::access("/usr/bin/man", X_OK) != 0 || ::access("/usr/bin/groff", X_OK) != 0) {
    WARN("skipped: no man or no groff here");
    return;
  }
  const auto command = "MANWIDTH=80 man --warnings -l " + session.path("pfs.1") + " >" +
                       session.path("page") + " 2>" + session.path("complaints");
  REQUIRE(std::system(command.c_str()) == 0);
  CHECK(text_of_file(session.path("complaints")).empty());
  CHECK_THAT(text_of_file(session.path("page")), Catch::Contains("list repo"));
}

TEST_CASE("the versions are objects with --raw, and the daemon is not asked with --client-only",
          "[cli][session]") {
  PfsSession session;
  session.stop();
  CHECK(session.ok({"version", "--raw", "--client-only"}).starts_with("{\n  \"component\": \"pfs\""));
  CHECK(session.pfs({"version"}).status == 1);
}

TEST_CASE("called by its other name, version has pachctl's own rows", "[cli][session]") {
  PfsSession session;
  REQUIRE(::symlink(PFS_BINARY, session.path("pachctl").c_str()) == 0);
  const auto command = "PFS_ADDRESS=unix:" + session.socket() + " " + session.path("pachctl") +
                       " version > " + session.path("versions");
  REQUIRE(std::system(command.c_str()) == 0);
  const auto versions = text_of_file(session.path("versions"));
  CHECK_THAT(versions, Catch::Contains("\npachctl ") && Catch::Contains("\npachd     9.9.9\n"));
  CHECK(versions.find("pfs") == versions.npos);
}

TEST_CASE("the shell is told the names of contexts and transactions", "[cli][session][config]") {
  PfsSession session;
  session.ok({"config", "set", "context", "home"}, "{}");
  CHECK(session.ok({"__complete", "config", "get", "context", "h"}) == "home\n");
  session.ok({"start", "transaction"});
  const auto id = session.ok({"__complete", "resume", "transaction", ""});
  session.ok({"inspect", "transaction", id.substr(0, id.find('\n'))});
}

}  // namespace
}  // namespace pfs::test
