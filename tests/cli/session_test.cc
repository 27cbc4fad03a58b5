// What a person meets first: repos, branches, errors and how they are told.
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <catch2/catch.hpp>

#include "cli/pfs_session.h"

namespace pfs::test {
namespace {

TEST_CASE("repos are listed newest first, in the columns that pachctl's users know",
          "[cli][session]") {
  PfsSession session;
  CHECK(session.ok({"list", "repo"}) == "NAME CREATED SIZE (MASTER) DESCRIPTION\n");
  CHECK(session.ok({"create", "repo", "images", "-d", "pictures"}).empty());
  session.ok({"create", "repo", "edges"});
  CHECK(session.ok({"list", "repo"}) ==
        "NAME   CREATED                SIZE (MASTER) DESCRIPTION\n"
        "edges  Less than a second ago 0B            \n"
        "images Less than a second ago 0B            pictures\n");
}

TEST_CASE("a repo's JSON is an array for -o json and an object for --raw", "[cli][session]") {
  PfsSession session;
  CHECK(session.ok({"list", "repo", "-o", "json"}) == "[]\n");
  session.ok({"create", "repo", "data"});
  const auto array = session.ok({"list", "repo", "-o", "json"});
  CHECK(array.substr(0, 2) == "[\n");
  const auto raw = session.ok({"list", "repo", "--raw"});
  CHECK(raw.substr(0, 21) == "{\n  \"name\": \"data\",\n ");
  CHECK(session.ok({"inspect", "repo", "data", "--raw"}) == raw);
}

TEST_CASE("errors name the object on stderr, and the status says what kind of failure it was",
          "[cli][session]") {
  PfsSession session;
  session.ok({"create", "repo", "data"});
  const auto again = session.pfs({"create", "repo", "data"});
  CHECK(again.status == 1);
  CHECK(again.out.empty());
  CHECK(again.err == "pfs: repo data: exists; 'pfs update repo' changes its description\n");
  CHECK(session.pfs({"inspect", "repo", "nothing"}).status == 1);
  CHECK(session.pfs({"create", "repo", "no/name"}).status == 2);
  CHECK(session.pfs({"create", "repo"}).status == 2);
  CHECK(session.pfs({"-v", "inspect", "repo", "nothing"}).err.find("(not found), request ") !=
        std::string::npos);
}

TEST_CASE("a command line that makes no sense has its own status, and is told the right form",
          "[cli][session]") {
  PfsSession session;
  session.stop();  // nobody is asked
  const auto told = [&](const std::vector<std::string>& arguments, const std::string& trouble,
                        const std::string& form) {
    CAPTURE(arguments);
    const auto said = session.pfs(arguments);
    CHECK(said.status == 2);
    CHECK(said.out.empty());
    CHECK_THAT(said.err, Catch::Contains(trouble) && Catch::Contains(form));
  };
  told({"delete", "repo"}, "pfs delete repo: name one repo", "delete repo --all");
  told({"delete", "repo", "data", "--all"}, "pfs delete repo: name one repo", "delete repo NAME");
  told({"delete", "pipeline"}, "pfs delete pipeline: name one pipeline", "delete pipeline NAME");
  told({"sync", "a", "b"}, "pfs sync: 'a' and 'b' are both local", "repo@branch:/path");
  told({"sync", "a@b", "c@d"}, "'a@b' and 'c@d' are both in repos", "local directory");
  told({"glob", "file", "data@master"}, "the pattern is missing", "data@master:/PATTERN");
  told({"glob", "file", "data@master:"}, "the pattern is missing", "data@master:/PATTERN");
  told({"get", "file", "-r", "data@master:/d"}, "pfs get file: -r: ", "add -o DIR");
  told({"get", "file", "-r", "data@master:/d", "-o", "-"}, "pfs get file: -r: ", "add -o DIR");
  told({"get", "file", "--retry", "data@master:/f"}, "pfs get file: --retry: ", "add -o FILE");
  told({"delete", "file", "data@master"}, "data@master: the path", "repo@branch:/path");
  told({"completion", "tcsh"}, "'tcsh' is no shell that is known", "bash, zsh or fish");
  told({"list", "commit", "--from", "master"}, "pfs list commit: --from: ", "repo@branch");
  told({"start", "commit", "data"}, "pfs start commit: repo data: ", "start commit data@master");
  told({"create", "branch", "data@x", "--trigger-size", "1MB"},
       "pfs create branch: branch data@x: ", "add --trigger BRANCH");
  told({"update", "branch", "data@x"}, "pfs update branch: branch data@x: ", "--commit-after");
  told({"list", "file", "data@master:/", "--history", "x"}, "--history: 'x' is neither", "all");
  told({"put", "file", "data@master:/d", "--split", "sql"}, "--split: 'sql' is no format",
       "line, csv or json");
  told({"put", "file", "data@master:/d", "--split", "json", "--header-records", "1"},
       "pfs put file: --header-records: ", "--split csv");
  told({"put", "file", "data@master", "-a", "--split", "line"},
       "pfs put file: --split with --append: ", "repo@branch:/path");
  told({"put", "file", "-r", "data@master:/d"}, "pfs put file: -r: stdin", "-f DIR");
  const std::string job(32, '1');
  told({"list", "datum"}, "pfs list datum: name one job", "list datum --file SPEC");
  told({"list", "datum", job, "--page", "1"}, "pfs list datum: --page: ", "add --page-size N");
  told({"logs"}, "pfs logs: of what?", "add -p PIPELINE");
  told({"logs", "-j", job, "--datum", "/a"}, "--datum: '/a' is no datum's id", "use --inputs");
  told({"run", "pipeline", "edges", "images@master"}, "'images@master': the commit is missing",
       "REPO@BRANCH=COMMIT");
  told({"help", "nonsense"}, "pfs help: 'nonsense' is no command", "'pfs help'");
  told({"help", "create", "rep"}, "'create rep' is no command", "did you mean 'create repo'?");
  told({"config", "update", "context", "home"}, "pfs config update context: ", "--pachd-address");
}

TEST_CASE("without a daemon one line says how to start it", "[cli][session]") {
  PfsSession session;
  session.stop();
  const auto said = session.pfs({"list", "repo"});
  CHECK(said.status == 1);
  CHECK(said.err == "pfs: daemon at unix:" + session.socket() +
                        ": is not running; start it with: pfsd --store DIR --mount DIR --socket " +
                        session.socket() + "\n");
}

TEST_CASE("a socket that a killed daemon left is replaced, one that answers is not",
          "[cli][session]") {
  PfsSession session;
  const auto second = api::Server::start(session.server_options());
  REQUIRE_FALSE(second);
  CHECK(second.error().code == Code::kBusy);

  session.stop();
  make_file(session.path("not-a-socket"), "kept");
  auto options = session.server_options();
  options.socket_path = session.path("not-a-socket");
  const auto on_a_file = api::Server::start(options);
  REQUIRE_FALSE(on_a_file);
  CHECK(on_a_file.error().code == Code::kExists);
  CHECK(text_of_file(session.path("not-a-socket")) == "kept");

  const int left = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  session.socket().copy(address.sun_path, sizeof address.sun_path - 1);
  REQUIRE(::bind(left, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
  ::close(left);
  session.open();
  CHECK(session.pfs({"list", "repo"}).status == 0);
  struct stat found {};
  REQUIRE(::stat(session.socket().c_str(), &found) == 0);
  CHECK((found.st_mode & 0777) == 0600);
  session.stop();
  CHECK(::stat(session.socket().c_str(), &found) != 0);
}

TEST_CASE("the versions of both ends are shown", "[cli][session]") {
  PfsSession session;
  CHECK(session.ok({"version"}).find("pfsd      9.9.9\n") != std::string::npos);
  CHECK(session.ok({"--version"}).find("pfs ") == 0);
  CHECK(session.ok({"--help"}).find("config                      set, get") != std::string::npos);
  const auto status = session.ok({"status"});
  CHECK(status.find("Daemon: pfsd 9.9.9\n") == 0);
}

TEST_CASE("a daemon without a scheduler says so", "[cli][session]") {
  PfsSession session;
  for (const auto* noun : {"pipeline", "job"}) {
    const auto said = session.pfs({"list", noun});
    CHECK(said.status == 1);
    CHECK(said.err == "pfs: this daemon runs no pipelines\n");
  }
}

TEST_CASE("a number below 0 is an error of usage that names the option", "[cli][session]") {
  PfsSession session;
  session.ok({"create", "repo", "data"});
  session.ok({"put", "file", "data@m:/f"}, "1\n2\n");
  const auto refused = [&](std::vector<std::string> arguments, const std::string& option) {
    CAPTURE(arguments);
    const auto said = session.pfs(std::move(arguments), "1\n2\n");
    CHECK(said.status == 2);
    CHECK(said.out.empty());
    CHECK_THAT(said.err, Catch::Contains(option + ": '-1' is no number from 0 on"));
  };
  for (const auto* option : {"--header-records", "--target-file-datums", "--target-file-bytes"})
    refused({"put", "file", "data@m:/d", "--split", "line", option, "-1"}, option);
  refused({"list", "commit", "data@m", "-n", "-1"}, "--number");
  refused({"list", "job", "-n", "-1"}, "--number");
  refused({"get", "file", "data@m:/f", "--offset", "-1"}, "--offset");
  refused({"create", "branch", "data@x", "-t", "m", "--trigger-commits", "-1"}, "--trigger-commits");
  refused({"logs", "-p", "edges", "--tail", "-1"}, "--tail");
  CHECK(session.pfs({"inspect", "file", "data@m:/d"}).status == 1);
  CHECK(session.ok({"get", "file", "data@m:/f", "--offset", "2"}) == "2\n");
}

TEST_CASE("help lists the commands, and tells of one as it is called", "[cli][session]") {
  PfsSession session;
  CHECK(session.ok({"help"}) == session.ok({"--help"}));
  CHECK(session.ok({"help", "help"}) == session.ok({"help", "--help"}));
  CHECK(session.ok({"help", "create", "branch"}) == session.ok({"create", "branch", "--help"}));
  CHECK_THAT(session.ok({"help", "create", "branch"}), Catch::Contains("Usage: pfs create branch ["));
}

}  // namespace
}  // namespace pfs::test
