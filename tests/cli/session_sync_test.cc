// `pfs sync` both ways, with a real server and real directories.
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>

#include <boost/filesystem/operations.hpp>
#include <catch2/catch.hpp>

#include "cli/pfs_session.h"

namespace pfs::test {
namespace {

namespace fs = boost::filesystem;

std::size_t commits_of(PfsSession& session, const std::string& branch) {
  const auto text = session.ok({"list", "commit", branch});
  return static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n')) - 1;
}

void make_directory(const std::string& path) { REQUIRE(::mkdir(path.c_str(), 0755) == 0); }

timespec time_of(const std::string& path) {
  struct stat found {};
  REQUIRE(::lstat(path.c_str(), &found) == 0);
  return found.st_mtim;
}

/// A directory with some of everything.
void plant(const std::string& top) {
  make_directory(top);
  make_directory(top + "/sub");
  make_directory(top + "/empty");
  make_file(top + "/a", "aaa");
  make_file(top + "/sub/b", "bbb");
  make_file(top + "/sub/c", "ccc");
  make_file(top + "/script", "#!/bin/sh\n");
  REQUIRE(::chmod((top + "/script").c_str(), 0755) == 0);
  REQUIRE(::symlink("sub/b", (top + "/link").c_str()) == 0);
}

TEST_CASE("a directory goes to a branch in one commit, and only what differs afterwards",
          "[cli][session]") {
  PfsSession session;
  session.ok({"create", "repo", "data"});
  const auto top = session.path("top");
  plant(top);

  CHECK(session.ok({"sync", top, "data@master:/t"})
            .find("7 put, 0 changed in mode or time, 0 deleted; commit ") == 0);
  CHECK(commits_of(session, "data@master") == 1);
  CHECK(session.ok({"get", "file", "data@master:/t/sub/b"}) == "bbb");
  CHECK(session.ok({"inspect", "file", "data@master:/t/link"}).find("Target: sub/b") !=
        std::string::npos);

  // nothing differs: no commit
  CHECK(session.ok({"sync", top, "data@master:/t"}) ==
        "0 put, 0 changed in mode or time, 0 deleted\n");
  CHECK(session.ok({"sync", "--checksum", top, "data@master:/t"}) ==
        "0 put, 0 changed in mode or time, 0 deleted\n");
  CHECK(commits_of(session, "data@master") == 1);

  make_file(top + "/sub/b", "longer");
  make_file(top + "/new", "new");
  REQUIRE(::unlink((top + "/a").c_str()) == 0);
  REQUIRE(::chmod((top + "/script").c_str(), 0700) == 0);
  fs::remove_all(top + "/empty");
  make_file(top + "/empty", "a file now");
  const auto told = session.ok({"sync", "-n", top, "data@master:/t"});
  CHECK(told ==
        "- /t/a\n"
        "- /t/empty\n"
        "~ /t/empty\n"
        "+ /t/new\n"
        ". /t/script\n"
        "~ /t/sub/b\n"
        "would be: 3 put, 1 changed in mode or time, 2 deleted\n");
  CHECK(commits_of(session, "data@master") == 1);
  session.ok({"sync", top, "data@master:/t"});
  CHECK(commits_of(session, "data@master") == 2);
  CHECK(session.ok({"get", "file", "data@master:/t/sub/b"}) == "longer");
  CHECK(session.ok({"get", "file", "data@master:/t/empty"}) == "a file now");
  CHECK(session.pfs({"get", "file", "data@master:/t/a"}).status == 1);
  CHECK(session.ok({"sync", top, "data@master:/t"}) ==
        "0 put, 0 changed in mode or time, 0 deleted\n");
}

TEST_CASE("a branch goes to a directory with modes, times and links, and extra files go",
          "[cli][session]") {
  PfsSession session;
  session.ok({"create", "repo", "data"});
  const auto top = session.path("top");
  const auto out = session.path("out");
  plant(top);
  const timespec old[] = {{1'000'000'000, 5}, {1'000'000'000, 5}};
  REQUIRE(::utimensat(AT_FDCWD, (top + "/sub").c_str(), old, 0) == 0);
  session.ok({"sync", top, "data@master"});

  CHECK(session.ok({"sync", "-n", "data@master", out}).find("would be: 7 put") !=
        std::string::npos);
  CHECK_FALSE(fs::exists(out));
  session.ok({"sync", "data@master", out});
  CHECK(text_of_file(out + "/sub/c") == "ccc");
  CHECK(text_of_file(out + "/link") == "bbb");
  for (const auto* name : {"/a", "/sub/b", "/sub", "/link", "/script"}) {
    CHECK(time_of(out + name).tv_sec == time_of(top + name).tv_sec);
    CHECK(time_of(out + name).tv_nsec == time_of(top + name).tv_nsec);
  }
  CHECK(::access((out + "/script").c_str(), X_OK) == 0);
  // and back: the same
  CHECK(session.ok({"sync", out, "data@master"}) ==
        "0 put, 0 changed in mode or time, 0 deleted\n");

  make_file(out + "/extra", "x");
  make_directory(out + "/extra.d");
  make_file(out + "/extra.d/x", "x");
  make_file(out + "/a", "changed here");
  CHECK(session.ok({"sync", "data@master", out}) ==
        "1 put, 0 changed in mode or time, 2 deleted\n");
  CHECK(text_of_file(out + "/a") == "aaa");
  CHECK_FALSE(fs::exists(out + "/extra.d"));
  CHECK(session.ok({"sync", "--checksum", "data@master", out}) ==
        "0 put, 0 changed in mode or time, 0 deleted\n");
}

TEST_CASE("a directory's time is no change by itself, and its mode is one", "[cli][session]") {
  PfsSession session;
  session.ok({"create", "repo", "data"});
  const auto top = session.path("top");
  plant(top);
  session.ok({"sync", top, "data@master:/t"});
  const timespec old[] = {{1'000'000'000, 5}, {1'000'000'000, 5}};
  REQUIRE(::utimensat(AT_FDCWD, (top + "/sub").c_str(), old, 0) == 0);
  CHECK(session.ok({"sync", top, "data@master:/t"}) ==
        "0 put, 0 changed in mode or time, 0 deleted\n");
  CHECK(commits_of(session, "data@master") == 1);

  REQUIRE(::chmod((top + "/sub").c_str(), 0700) == 0);
  CHECK(session.ok({"sync", "-n", top, "data@master:/t"}) ==
        ". /t/sub\nwould be: 0 put, 1 changed in mode or time, 0 deleted\n");
  CHECK(session.ok({"sync", top, "data@master:/t"})
            .starts_with("0 put, 1 changed in mode or time, 0 deleted; commit "));
  CHECK(commits_of(session, "data@master") == 2);
  CHECK(session.ok({"sync", top, "data@master:/t"}) ==
        "0 put, 0 changed in mode or time, 0 deleted\n");
}

TEST_CASE("a directory gets what is not committed yet, and what an ancestor has", "[cli][session]") {
  PfsSession session;
  session.ok({"create", "repo", "data"});
  session.ok({"put", "file", "data@master:/f"}, "1");
  session.ok({"put", "file", "data@master:/f"}, "22");
  session.ok({"start", "commit", "data@master"});
  session.ok({"put", "file", "data@master:/f"}, "333");
  const auto out = session.path("out");
  session.ok({"sync", "data@master", out});
  CHECK(text_of_file(out + "/f") == "333");
  session.ok({"sync", "data@master^", out});
  CHECK(text_of_file(out + "/f") == "1");
  session.ok({"finish", "commit", "data@master"});
  session.ok({"sync", "data@master", out});
  CHECK(text_of_file(out + "/f") == "333");
}

TEST_CASE("by checksum a change is seen that size and time do not show", "[cli][session]") {
  PfsSession session;
  session.ok({"create", "repo", "data"});
  const auto top = session.path("top");
  plant(top);
  session.ok({"sync", top, "data@master:/t"});
  const auto before = time_of(top + "/a");
  make_file(top + "/a", "AAA");
  const timespec times[] = {before, before};
  REQUIRE(::utimensat(AT_FDCWD, (top + "/a").c_str(), times, 0) == 0);
  session.ok({"sync", top, "data@master:/t"});
  CHECK(session.ok({"get", "file", "data@master:/t/a"}) == "aaa");
  session.ok({"sync", "--checksum", top, "data@master:/t"});
  CHECK(session.ok({"get", "file", "data@master:/t/a"}) == "AAA");
}

TEST_CASE("a socket is left out of a sync, and told", "[cli][session]") {
  PfsSession session;
  session.ok({"create", "repo", "data"});
  const auto top = session.path("top");
  plant(top);
  const int fd = ::socket(AF_UNIX, SOCK_STREAM, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const auto path = top + "/socket";
  REQUIRE(path.size() < sizeof(address.sun_path));
  path.copy(address.sun_path, path.size());
  REQUIRE(::bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0);
  const auto said = session.pfs({"sync", top, "data@master:/t"});
  ::close(fd);
  CHECK(said.status == 0);
  CHECK(said.err.find("socket: is no regular file") != std::string::npos);
  CHECK(session.pfs({"inspect", "file", "data@master:/t/socket"}).status == 1);
}

TEST_CASE("a sync that cannot be is refused, and changes nothing", "[cli][session]") {
  PfsSession session;
  session.ok({"create", "repo", "data"});
  session.ok({"put", "file", "data@master:/f"}, "text");
  const auto top = session.path("top");
  plant(top);
  CHECK(session.pfs({"sync", top, session.path("other")}).status == 2);
  CHECK(session.pfs({"sync", "data@master:/", "data@dev:/"}).status == 2);
  CHECK(session.pfs({"sync", top, "data@master:/f"}).status == 1);
  CHECK(session.pfs({"sync", "data@master:/f", session.path("out")}).status == 1);
  CHECK(session.pfs({"sync", "data@master:/nothing", session.path("out")}).status == 1);
  CHECK(session.pfs({"sync", top, "data@master^:/"}).status == 1);
  CHECK(session.pfs({"sync", top, "nothing@master:/"}).status == 1);
  CHECK(session.pfs({"sync", session.path("nowhere"), "data@master:/"}).status == 1);
  CHECK(commits_of(session, "data@master") == 1);
}

TEST_CASE("a malformed side of a sync is named, and a local name with an @ may have a slash before it",
          "[cli][session]") {
  PfsSession session;
  session.ok({"create", "repo", "data"});
  session.ok({"put", "file", "data@m:/f"}, "text");
  for (const auto* malformed : {"data@m^x:/", "data@", "@x"}) {
    CAPTURE(malformed);
    const auto said = session.pfs({"sync", session.path("top"), malformed});
    CHECK(said.status == 2);
    CHECK(said.err.find("local;") == said.err.npos);
    CHECK(said.err.find("is written ./NAME") != said.err.npos);
    CHECK(session.pfs({"sync", "data@m:/", malformed}).status == 2);
  }
  CHECK_THAT(session.pfs({"sync", "top", "data@m^x:/"}).err, Catch::Contains("'^x': an ancestor is written"));
  session.ok({"sync", "data@m:/", session.path("a@b^c")});
  CHECK(text_of_file(session.path("a@b^c/f")) == "text");
}

}  // namespace
}  // namespace pfs::test
