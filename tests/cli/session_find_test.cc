// Finding, comparing, copying, deleting and getting files with the real `pfs`.
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include <catch2/catch.hpp>

#include "api/client/files.h"
#include "cli/pfs_session.h"

namespace pfs::test {
namespace {

std::size_t commits_of(PfsSession& session, const std::string& branch) {
  const auto text = session.ok({"list", "commit", branch});
  return static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n')) - 1;
}

TEST_CASE("a pattern finds files, of a commit and of what is not committed", "[cli][session]") {
  PfsSession session;
  session.ok({"create", "repo", "data"});
  session.ok({"put", "file", "data@master:/d/a.txt"}, "a");
  session.ok({"put", "file", "data@master:/d/b.txt"}, "bb");
  session.ok({"start", "commit", "data@master"});
  session.ok({"put", "file", "data@master:/e/c.txt"}, "ccc");
  CHECK(session.ok({"glob", "file", "data@master:/**.txt"}) ==
        "NAME     TYPE SIZE\n"
        "/d/a.txt file 1B\n"
        "/d/b.txt file 2B\n"
        "/e/c.txt file 3B\n");
  CHECK(session.ok({"glob", "file", "data@master^:/d/[b-z]*"}).find("/d/") == std::string::npos);
  CHECK(session.ok({"glob", "file", "data@master:/*"}).find("/e   dir  3B") != std::string::npos);
  CHECK(session.ok({"glob", "file", "data@master:/nothing*"}) == "NAME TYPE SIZE\n");
  CHECK(session.pfs({"glob", "file", "data@master:/[a"}).status == 2);
  CHECK(session.pfs({"glob", "file", "none@master:/a"}).status == 1);
  CHECK(session.pfs({"glob", "file", "data@master"}).status == 2);
}

TEST_CASE("get takes a name as it is where there is one, else as a pattern", "[cli][session]") {
  PfsSession session;
  session.ok({"create", "repo", "data"});
  session.ok({"put", "file", "data@master:/a1"}, "1");
  session.ok({"put", "file", "data@master:/a2"}, "2");
  session.ok({"put", "file", "data@master:/report (1)*.csv"}, "csv");
  CHECK(session.ok({"get", "file", "data@master:/a*"}) == "12");
  CHECK(session.ok({"get", "file", "data@master:/report (1)*.csv"}) == "csv");
  CHECK(session.pfs({"get", "file", "data@master:/b*"}).status == 1);
  session.ok({"get", "file", "-r", "data@master:/a*", "-o", session.path("out")});
  CHECK(text_of_file(session.path("out") + "/a2") == "2");
}

TEST_CASE("a get that was cut off goes on where it was", "[cli][session]") {
  PfsSession session;
  session.ok({"create", "repo", "data"});
  session.ok({"put", "file", "data@master:/f"}, "0123456789");
  make_file(session.path("part"), "0123");
  session.ok({"get", "file", "--retry", "data@master:/f", "-o", session.path("part")});
  CHECK(text_of_file(session.path("part")) == "0123456789");
  session.ok({"get", "file", "--retry", "data@master:/f", "-o", session.path("part")});
  CHECK(text_of_file(session.path("part")) == "0123456789");
  make_file(session.path("part"), "more than there is");
  CHECK(session.pfs({"get", "file", "--retry", "data@master:/f", "-o", session.path("part")})
            .status == 1);
  CHECK(session.pfs({"get", "file", "--retry", "data@master:/f"}).status == 2);
}

TEST_CASE("a diff is a unified one for text, and tells of the rest", "[cli][session]") {
  PfsSession session;
  session.ok({"create", "repo", "data"});
  session.ok({"put", "file", "data@master:/d/text"}, "one\ntwo\n");
  session.ok({"put", "file", "data@master:/d/text"}, "one\n2\n");
  CHECK(session.ok({"diff", "file", "data@master:/d/text"}) ==
        "--- a/d/text\n"
        "+++ b/d/text\n"
        "@@ -1,2 +1,2 @@\n"
        " one\n"
        "-two\n"
        "+2\n");
  session.ok({"put", "file", "data@master:/d/binary"}, std::string("\0x", 2));
  session.ok({"put", "file", "data@master:/new"}, "n\n");
  CHECK(session.ok({"diff", "file", "data@master:/", "data@master^^:/"}) ==
        "Binary files /dev/null and b/d/binary differ\n"
        "--- /dev/null\n"
        "+++ b/new\n"
        "@@ -0,0 +1 @@\n"
        "+n\n");
  CHECK(session.ok({"diff", "file", "--name-only", "data@master:/", "data@master.1:/"}) ==
        "OP NAME      TYPE SIZE\n"
        "+  /d/binary file 2B\n"
        "-  /d/text   file 8B\n"
        "+  /d/text   file 6B\n"
        "+  /new      file 2B\n");
  const auto shallow =
      session.ok({"diff", "file", "-s", "--name-only", "data@master:/", "data@master.1:/"});
  CHECK(shallow.find("/d ") != std::string::npos);
  CHECK(shallow.find("/d/text") == std::string::npos);
  CHECK(session.ok({"diff", "file", "--diff-command", "cat", "data@master:/d/text",
                    "data@master.1:/d/text"}) == "one\ntwo\none\n2\n");
  // the same again is no difference, whatever its time
  session.ok({"put", "file", "data@master:/new"}, "n\n");
  CHECK(session.ok({"diff", "file", "data@master:/"}).empty());
  CHECK(session.pfs({"diff", "file", "data@master:/nothing"}).status == 1);
}

TEST_CASE("a diff of a branch with an open commit is what that would add", "[cli][session]") {
  PfsSession session;
  session.ok({"create", "repo", "data"});
  session.ok({"put", "file", "data@master:/a"}, "a\n");
  session.ok({"put", "file", "data@master:/b"}, "b\n");
  CHECK(session.ok({"diff", "file", "--name-only", "data@master:/"}).find("/b") !=
        std::string::npos);
  session.ok({"start", "commit", "data@master"});
  session.ok({"put", "file", "data@master:/c"}, "c\n");
  const auto names = session.ok({"diff", "file", "--name-only", "data@master:/"});
  CHECK(names.find("/c") != std::string::npos);
  CHECK(names.find("/b") == std::string::npos);
}

TEST_CASE("a directory is copied over another only where that is asked for", "[cli][session]") {
  PfsSession session;
  session.ok({"create", "repo", "data"});
  session.ok({"create", "repo", "other"});
  session.ok({"put", "file", "data@master:/a/x"}, "x");
  session.ok({"put", "file", "data@master:/b/y"}, "y");
  CHECK(session.pfs({"copy", "file", "data@master:/a", "data@master:/b"}).status == 1);
  session.ok({"copy", "file", "-o", "data@master:/a", "data@master:/b"});
  CHECK(session.ok({"get", "file", "data@master:/b/x"}) == "x");
  CHECK(session.pfs({"get", "file", "data@master:/b/y"}).status == 1);
  // a whole branch, to a place and onto another
  session.ok({"copy", "file", "data@master:/", "other@master:/all"});
  CHECK(session.ok({"get", "file", "other@master:/all/b/x"}) == "x");
  session.ok({"copy", "file", "data@master:/", "other@dev:/"});
  CHECK(session.ok({"get", "file", "other@dev:/a/x"}) == "x");
  CHECK(commits_of(session, "other@dev") == 1);
}

TEST_CASE("several paths are deleted in one commit, or none of them", "[cli][session]") {
  PfsSession session;
  session.ok({"create", "repo", "data"});
  for (const auto* name : {"a", "b", "d/c"})
    session.ok({"put", "file", std::string("data@master:/") + name}, "x");
  CHECK(session.pfs({"delete", "file", "data@master:/a", "data@master:/nothing"}).status == 1);
  CHECK(session.ok({"get", "file", "data@master:/a"}) == "x");
  session.ok({"delete", "file", "-r", "data@master:/a", "data@master:/d"});
  CHECK(commits_of(session, "data@master") == 4);
  CHECK(session.ok({"list", "file", "data@master:/"}) == "NAME TYPE SIZE\n/b   file 1B\n");
  session.ok({"delete", "file", "data@master:/"});
  CHECK(session.ok({"list", "file", "data@master:/"}) == "NAME TYPE SIZE\n");
}

TEST_CASE("a path's history has the commits that changed it", "[cli][session]") {
  PfsSession session;
  session.ok({"create", "repo", "data"});
  session.ok({"put", "file", "data@master:/f"}, "1");
  session.ok({"put", "file", "data@master:/g"}, "1");
  session.ok({"put", "file", "data@master:/f"}, "22");
  session.ok({"delete", "file", "data@master:/f"});
  const auto lines = [&](const std::string& history) {
    const auto text = session.ok({"list", "file", "data@master:/f", "--history", history});
    return std::count(text.begin(), text.end(), '\n') - 1;
  };
  CHECK(lines("all") == 3);
  CHECK(lines("2") == 2);
  CHECK(session.ok({"list", "file", "data@master:/f", "--history", "1"}).find("deleted") !=
        std::string::npos);
  CHECK(session.ok({"list", "file", "data@master:/", "--history", "none"}) ==
        session.ok({"list", "file", "data@master:/"}));
  for (const auto* odd : {"x", "0", "-1", "2x"}) {
    CAPTURE(odd);
    CHECK(session.pfs({"list", "file", "data@master:/f", "--history", odd}).status == 2);
  }
  CHECK(session.pfs({"list", "file", "data@master:/nothing", "--history", "all"}).status == 1);
}

TEST_CASE("what an upload changes in several directories is there at once", "[cli][session]") {
  PfsSession session;
  session.ok({"create", "repo", "data"});
  session.ok({"put", "file", "data@master:/a/x"}, "1");
  session.ok({"put", "file", "data@master:/b/x"}, "1");
  const auto connection = client::Connection::to_socket(session.socket());
  REQUIRE(connection);
  client::Upload upload(**connection, *BranchRef::parse("data@master"), {});
  REQUIRE(upload.remove(*RepoPath::parse("a/x")));
  REQUIRE(upload.begin_file(*RepoPath::parse("a/y"), {}));
  REQUIRE(upload.data("2"));
  REQUIRE(upload.begin_file(*RepoPath::parse("b/x"), {}));
  REQUIRE(upload.data("2"));
  CHECK(session.ok({"get", "file", "data@master:/b/x"}) == "1");
  REQUIRE(upload.finish());
  CHECK(session.ok({"get", "file", "data@master:/*/*"}) == "22");
  CHECK(commits_of(session, "data@master") == 3);
}

}  // namespace
}  // namespace pfs::test
