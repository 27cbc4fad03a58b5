// What `pfs put file` takes, and what it refuses whole.
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <thread>

#include <catch2/catch.hpp>

#include "cli/pfs_session.h"

namespace pfs::test {
namespace {

std::size_t commits_of(PfsSession& session, const std::string& branch) {
  const auto text = session.ok({"list", "commit", branch});
  return static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n')) - 1;
}

std::string list(PfsSession& session, const std::string& directory) {
  const auto text = session.ok({"list", "file", directory, "--raw"});
  std::string names;
  std::size_t at = 0;
  while ((at = text.find("\"path\": \"", at)) != text.npos) {
    at += 9;
    names += text.substr(at, text.find('"', at) - at) + " ";
  }
  return names;
}

TEST_CASE("records of a source become files of a directory", "[cli][session]") {
  PfsSession session;
  session.ok({"create", "repo", "data"});
  const std::string target = "data@master:/lines";
  session.ok({"put", "file", target, "--split", "line", "--target-file-datums", "2"}, "1\n2\n3\n");
  CHECK(list(session, target) == "/lines/0000000000000000 /lines/0000000000000001 ");
  CHECK(session.ok({"get", "file", target + "/0000000000000000"}) == "1\n2\n");
  // more behind them, and then fewer in their place
  session.ok({"put", "file", target, "-a", "--split", "line"}, "4\n");
  CHECK(session.ok({"get", "file", target + "/*"}) == "1\n2\n3\n4\n");
  session.ok({"put", "file", target, "--split", "csv", "--header-records", "1"}, "h\n\"x\ny\"\n");
  CHECK(list(session, target) == "/lines/0000000000000000 ");
  CHECK(session.ok({"get", "file", target + "/0000000000000000"}) == "h\n\"x\ny\"\n");

  CHECK(session.pfs({"put", "file", target, "--split", "sql"}, "x").status == 2);
  CHECK(session.pfs({"put", "file", target, "--split", "json", "--header-records", "1"}, "{}")
            .status == 2);
  CHECK(session.pfs({"put", "file", "data@master", "-a", "--split", "line"}, "x").status == 2);
  CHECK(session.pfs({"put", "file", target, "-a", "--split", "line", "-f", "-", "-f", "-"}, "x")
            .status == 2);
  CHECK(session.pfs({"put", "file", target, "--split", "json"}, "{").status == 1);
  CHECK(session.pfs({"put", "file", target, "--header-records", "1"}, "x").status == 2);
  CHECK(list(session, target) == "/lines/0000000000000000 ");
}

TEST_CASE("a fifo that is named is waited for until somebody has written it", "[cli][session]") {
  PfsSession session;
  session.ok({"create", "repo", "data"});
  const auto fifo = session.path("fifo");
  REQUIRE(::mkfifo(fifo.c_str(), 0600) == 0);
  bool written = false;
  std::thread writer([&] {
    // until somebody reads, but not for ever: pfs may have failed
    for (int i = 0; i < 1000 && !written; ++i) {
      ::usleep(10'000);
      const int fd = ::open(fifo.c_str(), O_WRONLY | O_NONBLOCK | O_CLOEXEC);
      if (fd < 0) continue;
      written = ::write(fd, "late", 4) == 4;
      ::close(fd);
    }
  });
  const auto said = session.pfs({"put", "file", "data@master:/f", "-f", fifo});
  writer.join();
  CHECK(said.status == 0);
  CHECK(written);
  CHECK(session.ok({"get", "file", "data@master:/f"}) == "late");
}

TEST_CASE("nothing is put when a source cannot be read, and all of them are told",
          "[cli][session]") {
  PfsSession session;
  session.ok({"create", "repo", "data"});
  session.ok({"put", "file", "data@master:/d/kept"}, "kept");
  const auto in = session.path("in");
  REQUIRE(::mkdir(in.c_str(), 0755) == 0);
  make_file(in + "/a", "a");
  make_file(in + "/z", "z");
  const auto said = session.pfs({"put", "file", "-r", "data@master:/d", "-f", in, "-f",
                                 session.path("nowhere"), "-f", session.path("neither")});
  CHECK(said.status == 1);
  CHECK(said.err.find("2 sources cannot be read; nothing was changed") != std::string::npos);
  CHECK(said.err.find("nowhere") != std::string::npos);
  CHECK(said.err.find("neither") != std::string::npos);
  if (::getuid() != 0) {  // root reads everything
    REQUIRE(::chmod((in + "/a").c_str(), 0) == 0);
    CHECK(session.pfs({"put", "file", "-r", "data@master:/d", "-f", in}).status == 1);
  }
  CHECK(list(session, "data@master:/d") == "/d/kept ");
  CHECK(commits_of(session, "data@master") == 1);
  // a branch that was to be made on demand is not made either
  CHECK(session.pfs({"put", "file", "data@other:/x", "-f", session.path("nowhere")}).status == 1);
  CHECK(session.pfs({"inspect", "branch", "data@other"}).status == 1);
}

TEST_CASE("stdin is no directory, and old flags are taken", "[cli][session]") {
  PfsSession session;
  session.ok({"create", "repo", "data"});
  CHECK(session.pfs({"put", "file", "-r", "data@master:/d"}, "x").status == 2);
  CHECK(session.pfs({"put", "file", "-r", "data@master:/d", "-f", "-"}, "x").status == 2);
  // what a list says is no matter of usage
  make_file(session.path("list"), "-\n");
  CHECK(session.pfs({"put", "file", "-r", "data@master:/d", "-i", session.path("list")}, "x")
            .status == 1);
  const auto said = session.pfs(
      {"put", "file", "-c", "-p", "10", "--compress", "--no-progress", "-o", "data@master:/d"},
      "x");
  CHECK(said.status == 0);
  CHECK(said.err.find("-c is not needed") != std::string::npos);
  CHECK(session.pfs({"put", "file", "-a", "-o", "data@master:/d"}, "x").status == 2);
}

TEST_CASE("modes and times come along, and back", "[cli][session]") {
  PfsSession session;
  session.ok({"create", "repo", "data"});
  const auto in = session.path("in");
  REQUIRE(::mkdir(in.c_str(), 0755) == 0);
  make_file(in + "/f", "text");
  const timespec times[] = {{1'000'000'000, 7}, {1'000'000'000, 7}};
  REQUIRE(::utimensat(AT_FDCWD, (in + "/f").c_str(), times, 0) == 0);
  session.ok({"put", "file", "-r", "data@master:/d", "-f", in});
  session.ok({"get", "file", "-r", "data@master:/d", "-o", session.path("out")});
  struct stat found {};
  REQUIRE(::stat((session.path("out") + "/f").c_str(), &found) == 0);
  CHECK(found.st_mtim.tv_sec == 1'000'000'000);
  CHECK(found.st_mtim.tv_nsec == 7);
}

/// Answers one request on a port of its own with the given text.
class OneAnswer {
 public:
  explicit OneAnswer(std::string answer) : fd_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address);
    REQUIRE(::bind(fd_, reinterpret_cast<sockaddr*>(&address), size) == 0);
    REQUIRE(::listen(fd_, 1) == 0);
    REQUIRE(::getsockname(fd_, reinterpret_cast<sockaddr*>(&address), &size) == 0);
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this, text = std::move(answer)] {
      const int peer = ::accept(fd_, nullptr, nullptr);
      char request[4096];
      if (::read(peer, request, sizeof(request)) > 0)
        (void)!::write(peer, text.data(), text.size());
      ::close(peer);
    });
  }
  ~OneAnswer() {
    thread_.join();
    ::close(fd_);
  }
  std::string url(const std::string& path) const {
    return "http://127.0.0.1:" + std::to_string(port_) + path;
  }

 private:
  int fd_;
  int port_ = 0;
  std::thread thread_;
};

TEST_CASE("a URL is put by its path, and what the server refuses is told", "[cli][session]") {
  PfsSession session;
  session.ok({"create", "repo", "data"});
  {
    OneAnswer server("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nimage");
    session.ok({"put", "file", "data@master", "-f", server.url("/46Q8nDz.jpg?size=1")});
  }
  CHECK(session.ok({"get", "file", "data@master:/46Q8nDz.jpg"}) == "image");
  {
    OneAnswer server("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n");
    const auto said = session.pfs({"put", "file", "data@master:/x", "-f", server.url("/x")});
    CHECK(said.status == 1);
    CHECK(said.err.find("the server answers 404") != std::string::npos);
  }
  {
    OneAnswer server("HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\ncut off");
    CHECK(session.pfs({"put", "file", "data@master:/x", "-f", server.url("/x")}).status == 1);
  }
  const auto said = session.pfs({"put", "file", "data@master:/x", "-f", "s3://bucket/key"});
  CHECK(said.status == 1);
  CHECK(said.err.find("sources of s3://") != std::string::npos);
  CHECK(commits_of(session, "data@master") == 1);
}

}  // namespace
}  // namespace pfs::test
