// Files through the real `pfs`.
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <random>

#include <catch2/catch.hpp>

#include "api/client/files.h"
#include "cli/pfs_session.h"
#include "store/live_trees.h"

namespace pfs::test {
namespace {

std::string random_bytes(std::size_t size) {
  std::mt19937_64 random(42);  // the same bytes each time
  std::string bytes(size, '\0');
  for (std::size_t i = 0; i + 8 <= size; i += 8) {
    const auto word = random();
    std::memcpy(bytes.data() + i, &word, 8);
  }
  return bytes;
}

/// What is listed, one `name type size` a line.
std::string listed(PfsSession& session, const std::string& directory) {
  std::istringstream lines(session.ok({"list", "file", directory}));
  std::string line;
  std::string result;
  std::getline(lines, line);  // the header
  while (std::getline(lines, line)) {
    std::istringstream words(line);
    std::string name;
    std::string type;
    std::string size;
    words >> name >> type >> size;
    result += name + " " + type + " " + size + "\n";
  }
  return result;
}

std::size_t commit_count(PfsSession& session, const std::string& branch) {
  const auto text = session.ok({"list", "commit", branch});
  return static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n')) - 1;
}

TEST_CASE("what is put is got back, byte for byte", "[cli][session]") {
  PfsSession session;
  session.ok({"create", "repo", "data"});
  for (const std::size_t size : {0U, 1U, 100U, 5000U, (1U << 20) - 1, 1U << 20, (3U << 20) + 17}) {
    const auto bytes = random_bytes(size);
    make_file(session.path("in"), bytes);
    session.ok({"put", "file", "data@master:/dir/file", "-f", session.path("in")});
    CHECK((session.ok({"get", "file", "data@master:/dir/file"}) == bytes));  // not to be printed
    session.ok({"get", "file", "data@master:/dir/file", "-o", session.path("out")});
    CHECK((text_of_file(session.path("out")) == bytes));
  }
  CHECK(session.ok({"get", "file", "data@master:/dir/file", "--offset", "3145740"}).size() == 5);
  CHECK(session.pfs({"get", "file", "data@master:/dir/file", "--offset", "9999999"}).status == 1);
}

/// A megabyte that is the only one of its number.
std::string megabyte(std::size_t number) {
  static const auto bytes = random_bytes(1 << 20);
  return std::to_string(number) + bytes.substr(std::to_string(number).size());
}

long max_rss_kib() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  return usage.ru_maxrss;
}

TEST_CASE("a big file goes through little memory, at both ends", "[cli][session]") {
  constexpr std::size_t kMegabytes = 256;
  PfsSession session;
  session.ok({"create", "repo", "data"});
  {
    std::ofstream file(session.path("in"), std::ios::binary);
    for (std::size_t i = 0; i < kMegabytes; ++i) file << megabyte(i);
  }
  // the server is in this process, and what it took before does not count; a child's figure begins
  // with its parent's
  const auto before = max_rss_kib();
  session.ok({"put", "file", "data@master:/big", "-f", session.path("in")});
  const auto got = session.pfs({"get", "file", "data@master:/big", "-o", session.path("out")});
  REQUIRE(got.status == 0);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
  CHECK(max_rss_kib() - before < 48 * 1024);
  CHECK(got.max_rss_kib - before < 48 * 1024);
#endif
  CHECK(listed(session, "data@master") == "/big file 256MiB\n");
  std::ifstream file(session.path("out"), std::ios::binary);
  std::string piece(1 << 20, '\0');
  for (std::size_t i = 0; i < kMegabytes; ++i) {
    REQUIRE(file.read(piece.data(), static_cast<std::streamsize>(piece.size())));
    REQUIRE((piece == megabyte(i)));
  }
  CHECK(file.peek() == EOF);
}

TEST_CASE("an upload that is cut off has changed nothing", "[cli][session]") {
  PfsSession session;
  session.ok({"create", "repo", "data"});
  session.ok({"put", "file", "data@master:/f"}, "kept");
  const auto connection = client::Connection::to_socket(session.socket());
  REQUIRE(connection);
  {
    client::Upload upload(**connection, *BranchRef::parse("data@master"), {});
    REQUIRE(upload.begin_file(*RepoPath::parse("f"), {}));
    REQUIRE(upload.data(random_bytes(3 << 20)));
  }
  CHECK(listed(session, "data@master") == "/f file 4B\n");
  CHECK(commit_count(session, "data@master") == 1);
  CHECK(session.ok({"status"}).find("data@master") == std::string::npos);  // nothing is open
}

TEST_CASE("what is not there is told without a table", "[cli][session]") {
  PfsSession session;
  session.ok({"create", "repo", "data"});
  session.ok({"create", "branch", "data@master"});
  const auto said = session.pfs({"list", "file", "data@master:/nothing"});
  CHECK(said.status == 1);
  CHECK(said.out.empty());
  CHECK(session.ok({"list", "file", "data@master"}) == "NAME TYPE SIZE\n");
}

TEST_CASE("files put in one call are one commit, and the live content shows them",
          "[cli][session]") {
  PfsSession session;
  session.ok({"create", "repo", "data"});
  make_file(session.path("a"), "aa");
  make_file(session.path("b"), "bbb");
  session.ok({"put", "file", "data@master:/in", "-f", session.path("a"), "-f", session.path("b")});
  CHECK(commit_count(session, "data@master") == 1);
  const auto below = "data@master:/in" + session.path("");
  CHECK(session.ok({"get", "file", below + "a"}) == "aa");
  CHECK(session.ok({"get", "file", below + "b"}) == "bbb");
  make_file(session.path("list"), session.path("a") + "\n" + session.path("b") + "\n");
  session.ok({"put", "file", "data@listed:/in", "-i", session.path("list")});
  CHECK(session.ok({"get", "file", "data@listed:/in" + session.path("") + "b"}) == "bbb");
}

TEST_CASE("a file is replaced, or appended to when that is asked for", "[cli][session]") {
  PfsSession session;
  session.ok({"create", "repo", "data"});
  session.ok({"put", "file", "data@master:/f"}, "one");
  session.ok({"put", "file", "data@master:/f"}, "two");
  CHECK(session.ok({"get", "file", "data@master:/f"}) == "two");
  session.ok({"put", "file", "-a", "data@master:/f"}, " and three");
  CHECK(session.ok({"get", "file", "data@master:/f"}) == "two and three");
  session.ok({"put", "file", "-a", "data@master:/new"}, "new");
  CHECK(session.ok({"get", "file", "data@master:/new"}) == "new");
  CHECK(session.ok({"get", "file", "data@master^^^:/f"}) == "one");
  CHECK(commit_count(session, "data@master") == 4);
}

TEST_CASE("a directory goes in and comes out whole", "[cli][session]") {
  PfsSession session;
  session.ok({"create", "repo", "data"});
  const auto in = session.path("in");
  const auto out = session.path("out");
  REQUIRE(::mkdir(in.c_str(), 0755) == 0);
  REQUIRE(::mkdir((in + "/sub").c_str(), 0755) == 0);
  REQUIRE(::mkdir((in + "/empty").c_str(), 0755) == 0);
  make_file(in + "/sub/f", "text");
  make_file(in + "/script", "#!/bin/sh\n");
  REQUIRE(::chmod((in + "/script").c_str(), 0755) == 0);
  REQUIRE(::symlink("sub/f", (in + "/link").c_str()) == 0);

  CHECK(session.pfs({"put", "file", "data@master:/d", "-f", in}).status == 1);
  session.ok({"put", "file", "-r", "data@master:/d", "-f", in});
  CHECK(commit_count(session, "data@master") == 1);
  CHECK(listed(session, "data@master:/d") ==
        "/d/empty dir 0B\n"
        "/d/link symlink 5B\n"
        "/d/script file 10B\n"
        "/d/sub dir 4B\n");
  const auto refused = session.pfs({"get", "file", "data@master:/d"});
  CHECK(refused.status == 1);
  CHECK(refused.err == "pfs: data@master:/d: is a directory; get it recursively: -r -o DIR\n");
  session.ok({"get", "file", "-r", "data@master:/d", "-o", out});
  CHECK(text_of_file(out + "/sub/f") == "text");
  CHECK(text_of_file(out + "/link") == "text");
  struct stat found {};
  REQUIRE(::lstat((out + "/link").c_str(), &found) == 0);
  CHECK(S_ISLNK(found.st_mode));
  REQUIRE(::stat((out + "/empty").c_str(), &found) == 0);
  CHECK(S_ISDIR(found.st_mode));
  REQUIRE(::stat((out + "/script").c_str(), &found) == 0);
  CHECK((found.st_mode & 0700) == 0700);

  // into a directory that is there: what it held stays, what comes again is replaced
  make_file(in + "/sub/g", "more");
  make_file(in + "/sub/f", "changed");
  session.ok({"put", "file", "-r", "data@master:/d", "-f", in});
  CHECK(listed(session, "data@master:/d/sub") == "/d/sub/f file 7B\n/d/sub/g file 4B\n");
}

TEST_CASE("a file does not take a directory's place, and nothing of the call is kept",
          "[cli][session]") {
  PfsSession session;
  session.ok({"create", "repo", "data"});
  session.ok({"put", "file", "data@master:/dir/f"}, "kept");
  CHECK(session.pfs({"put", "file", "data@master:/dir"}, "x").status == 1);
  CHECK(session.pfs({"put", "file", "data@master:/dir/f/g"}, "x").status == 1);
  const auto in = session.path("in");
  REQUIRE(::mkdir(in.c_str(), 0755) == 0);
  make_file(in + "/a-new", "x");
  make_file(in + "/dir", "x");
  CHECK(session.pfs({"put", "file", "-r", "data@master:/", "-f", in}).status == 1);
  CHECK(listed(session, "data@master") == "/dir dir 4B\n");
  CHECK(session.ok({"get", "file", "data@master:/dir/f"}) == "kept");
  CHECK(session.pfs({"put", "file", "data@master:/x", "-f", in + "/a-new", "-f", in + "/a-new"})
            .status == 1);
  CHECK(session.pfs({"put", "file", "nothing@master:/x"}, "x").status == 1);
  CHECK(session.pfs({"put", "file", "data@master"}, "x").status == 1);
  CHECK(commit_count(session, "data@master") == 1);
}

TEST_CASE("names that mean something in the mount are refused", "[cli][session]") {
  PfsSession session;
  session.ok({"create", "repo", "data"});
  CHECK(session.pfs({"put", "file", "data@master:/.pfs/x"}, "x").status == 1);
  CHECK(session.pfs({"put", "file", "data@master:/data@dev"}, "x").status == 1);
  CHECK(session.pfs({"put", "file", "data@master:/sub/.pfs"}, "x").status == 0);
}

TEST_CASE("files and directories are copied, between branches and from commits too",
          "[cli][session]") {
  PfsSession session;
  session.ok({"create", "repo", "data"});
  session.ok({"create", "repo", "other"});
  session.ok({"put", "file", "data@staging:/dir/f"}, "one");
  session.ok({"put", "file", "data@staging:/dir/f"}, "two");
  session.ok({"copy", "file", "data@staging:/dir/f", "data@master:/new/place"});
  CHECK(session.ok({"get", "file", "data@master:/new/place"}) == "two");
  session.ok({"copy", "file", "data@staging^:/dir", "other@master:/dir"});
  CHECK(session.ok({"get", "file", "other@master:/dir/f"}) == "one");
  CHECK(session.pfs({"copy", "file", "data@staging:/dir/f", "other@master:/dir"}).status == 1);
  CHECK(session.pfs({"copy", "file", "data@staging:/nothing", "other@master:/x"}).status == 1);
  CHECK(session.pfs({"copy", "file", "data@staging:/dir/f", "other@master^:/x"}).status == 1);
}

TEST_CASE("files and whole directories are deleted, and stay in earlier commits",
          "[cli][session]") {
  PfsSession session;
  session.ok({"create", "repo", "data"});
  session.ok({"put", "file", "data@master:/dir/sub/f"}, "text");
  session.ok({"put", "file", "data@master:/g"}, "text");
  session.ok({"delete", "file", "data@master:/dir"});
  CHECK(listed(session, "data@master") == "/g file 4B\n");
  CHECK(session.ok({"get", "file", "data@master^:/dir/sub/f"}) == "text");
  session.ok({"delete", "file", "data@master:/g"});
  CHECK(listed(session, "data@master").empty());
  const auto gone = session.pfs({"delete", "file", "data@master:/g"});
  CHECK(gone.status == 1);
  CHECK(gone.err == "pfs: data@master:/g: no such file or directory\n");
}

TEST_CASE("a pipeline's output branch is read-only", "[cli][session]") {
  PfsSession session;
  session.ok({"create", "repo", "edges"});
  session.ok({"put", "file", "edges@master:/a"}, "text");
  const auto ref = BranchRef::parse("edges@master");
  REQUIRE(session.store().catalog().set_output_of(*ref, "edges"));
  const auto put = session.pfs({"-v", "put", "file", "edges@master:/b"}, "x");
  CHECK(put.status == 1);
  CHECK(put.err.find("pipeline edges") != put.err.npos);
  CHECK(put.err.find("(read-only)") != put.err.npos);
  CHECK(session.pfs({"delete", "file", "edges@master:/a"}).status == 1);
  CHECK(session.pfs({"copy", "file", "edges@master:/a", "edges@master:/b"}).status == 1);
  CHECK(session.ok({"get", "file", "edges@master:/a"}) == "text");
}

TEST_CASE("the mount is told of every name that changes, without locks", "[cli][session]") {
  class Observer final : public store::TreeObserver {
   public:
    explicit Observer(store::LiveTrees& trees) : trees_(trees) {}
    void name_changed(const store::NodePtr& directory, const std::string& name,
                      const std::vector<store::NodePtr>&) override {
      told += trees_.path(directory) + " " + name + "\n";
    }
    void attributes_changed(const store::NodePtr&) override {}
    std::shared_ptr<void> trees_replacing(const std::set<BranchRef>&) override { return nullptr; }
    void tree_replaced(const store::NodePtr&, const std::vector<std::string>&,
                       const std::vector<store::NodePtr>&) override {}
    void branch_changed(const BranchRef&) override {}
    void commits_deleted(const RepoName&, const std::vector<CommitId>&) override {}
    bool write_back(const BranchRef&) override { return true; }
    std::string told;

   private:
    store::LiveTrees& trees_;
  };
  PfsSession session;
  Observer observer(session.store().trees());
  session.store().set_observer(&observer);
  session.ok({"create", "repo", "data"});
  session.ok({"put", "file", "data@master:/a/b"}, "1");
  session.ok({"put", "file", "data@master:/a/c"}, "2");
  session.ok({"put", "file", "-a", "data@master:/a/c"}, "3");
  session.ok({"delete", "file", "data@master:/a/b"});
  session.ok({"copy", "file", "data@master:/a/c", "data@master:/x/y"});
  session.store().set_observer(nullptr);
  CHECK(observer.told ==
        "/ a\n"
        "/a c\n"
        "/a c\n"
        "/a b\n"
        "/ x\n");
}

TEST_CASE("what was put belongs to the caller", "[cli][session]") {
  PfsSession session;
  session.ok({"create", "repo", "data"});
  session.ok({"put", "file", "data@master:/d/f"}, "1");
  auto& trees = session.store().trees();
  const auto tree = trees.branch(*BranchRef::parse("data@master"));
  REQUIRE(tree);
  for (const auto* path : {"d", "d/f"}) {
    const auto node = trees.walk(trees.root(*tree), *RepoPath::parse(path));
    REQUIRE(node);
    const auto stat = trees.stat(*node);
    REQUIRE(stat);
    CHECK(stat->attributes.uid == ::getuid());
    CHECK(stat->attributes.gid == ::getgid());
  }
}

TEST_CASE("files are put, copied and deleted by the id of the commit that is open", "[cli][session]") {
  PfsSession session;
  session.ok({"create", "repo", "data"});
  session.ok({"put", "file", "data@master:/old"}, "o");
  const auto commit = "data@" + session.ok({"start", "commit", "data@master"}).substr(0, 32);
  session.ok({"put", "file", commit + ":/f"}, "x");
  session.ok({"copy", "file", commit + ":/f", commit + ":/g"});
  session.ok({"delete", "file", commit + ":/old"});
  session.ok({"finish", "commit", commit});
  CHECK(session.ok({"get", "file", commit + ":/f"}) == "x");
  CHECK(session.ok({"get", "file", commit + ":/g"}) == "x");
  CHECK(session.pfs({"get", "file", commit + ":/old"}).status == 1);
  for (const auto& refused : {session.pfs({"put", "file", commit + ":/h"}, "x"),
                              session.pfs({"copy", "file", commit + ":/f", commit + ":/h"}),
                              session.pfs({"delete", "file", commit + ":/f"})}) {
    CHECK(refused.status == 1);
    CHECK(refused.err.find("a commit never changes; name a branch") != refused.err.npos);
  }
}

}  // namespace
}  // namespace pfs::test
