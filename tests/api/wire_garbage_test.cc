// What is no HTTP/2, no gRPC or no message of ours: the daemon lives on, and answers who talks sense.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <memory>
#include <random>
#include <string>
#include <vector>

#include <catch2/catch.hpp>
#include <grpcpp/create_channel.h>
#include <grpcpp/generic/generic_stub.h>

#include "api/server.h"
#include "base/file.h"
#include "support/store_world.h"

namespace pfs::test {
namespace {

class Served {
 public:
  Served() {
    api::ServerOptions server;
    server.socket_path = socket();
    server.store = &world_.store();
    server.version = "9.9.9";
    server.tcp.addresses = {HostPort{"127.0.0.1", 0}};
    auto started = api::Server::start(server);
    REQUIRE(started);
    server_ = *std::move(started);
  }

  std::string socket() const { return world_.path() + ".socket"; }
  std::uint16_t port() const { return server_->tcp_addresses().front().port; }
  std::shared_ptr<grpc::Channel> channel() const {
    return grpc::CreateChannel("127.0.0.1:" + std::to_string(port()),
                               grpc::InsecureChannelCredentials());
  }

 private:
  StoreWorld world_;
  std::unique_ptr<api::Server> server_;
};

struct Answer {
  grpc::Status status;
  std::string bytes;
};

grpc::ByteBuffer buffer_of(const std::string& bytes) {
  const grpc::Slice slice(bytes);
  return grpc::ByteBuffer(&slice, 1);
}

/// One message each way; for a stream of answers the first.
Answer call(const std::shared_ptr<grpc::Channel>& channel, const std::string& method,
            const std::string& bytes) {
  grpc::GenericStub stub(channel);
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(10));
  grpc::CompletionQueue queue;
  const auto next = [&queue] {
    void* tag = nullptr;
    bool ok = false;
    return queue.Next(&tag, &ok) && ok;
  };
  auto stream = stub.PrepareCall(&context, method, &queue);
  stream->StartCall(nullptr);
  Answer answer;
  if (next()) {
    stream->WriteLast(buffer_of(bytes), grpc::WriteOptions(), nullptr);
    next();
    grpc::ByteBuffer got;
    stream->Read(&got, nullptr);
    if (next()) {
      std::vector<grpc::Slice> slices;
      (void)got.Dump(&slices);
      for (const auto& slice : slices)
        answer.bytes.append(reinterpret_cast<const char*>(slice.begin()), slice.size());
    }
  }
  context.TryCancel();
  stream->Finish(&answer.status, nullptr);
  next();
  queue.Shutdown();
  void* tag = nullptr;
  bool ok = false;
  while (queue.Next(&tag, &ok)) {
  }
  return answer;
}

bool is_healthy(const Served& served) {
  return call(served.channel(), "/grpc.health.v1.Health/Check", "").bytes == "\x08\x01";
}

std::string random_bytes(std::mt19937& random, std::size_t most) {
  std::string bytes(std::uniform_int_distribution<std::size_t>(0, most)(random), '\0');
  for (auto& byte : bytes) byte = static_cast<char>(random() & 0xFFU);
  return bytes;
}

UniqueFd connected(const Served& served, bool tcp) {
  UniqueFd fd(::socket(tcp ? AF_INET : AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (tcp) {
    sockaddr_in at{};
    at.sin_family = AF_INET;
    at.sin_port = htons(served.port());
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    REQUIRE(::connect(fd.get(), reinterpret_cast<const sockaddr*>(&at), sizeof at) == 0);
  } else {
    sockaddr_un at{};
    at.sun_family = AF_UNIX;
    served.socket().copy(at.sun_path, sizeof at.sun_path - 1);
    REQUIRE(::connect(fd.get(), reinterpret_cast<const sockaddr*>(&at), sizeof at) == 0);
  }
  return fd;
}

/// A frame of HTTP/2, whole or with a wrong length. Source: RFC 9113, 4.1.
std::string frame(std::mt19937& random) {
  const auto payload = random_bytes(random, 64);
  const auto length = random() % 8 == 0 ? random() & 0xFFFFFFU : payload.size();
  std::string bytes;
  for (const unsigned shift : {16U, 8U, 0U}) bytes += static_cast<char>(length >> shift & 0xFFU);
  bytes += static_cast<char>(random() % 11);
  bytes += static_cast<char>(random() & 0xFFU);
  bytes += std::string("\0\0\0", 3) + static_cast<char>(random() % 8);
  return bytes + payload;
}

TEST_CASE("health and reflection are served", "[api][network]") {
  const Served served;
  CHECK(is_healthy(served));
  // list_services, field 7, of anything
  const auto services = call(served.channel(),
                             "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
                             std::string("\x3a\x01*"));
  for (const auto* name : {"pfs.v1.RepoService", "pfs.v1.FileService", "grpc.health.v1.Health"}) {
    CAPTURE(name);
    CHECK(services.bytes.find(name) != std::string::npos);
  }
}

TEST_CASE("a daemon lives on when bytes come that are no HTTP/2", "[api][garbage]") {
  const Served served;
  const auto seed = std::random_device()();
  INFO("seed " << seed);
  std::mt19937 random(seed);
  for (int round = 0; round < 200; ++round) {
    const auto fd = connected(served, round % 2 == 0);
    std::string bytes;
    if (round % 4 >= 2) {
      bytes = std::string("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n") + std::string("\0\0\0\4\0\0\0\0\0", 9);
      for (int i = 0; i < 20; ++i) bytes += frame(random);
    } else {
      bytes = random_bytes(random, 4096);
    }
    (void)::send(fd.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
  }
  CHECK(is_healthy(served));
}

TEST_CASE("a message that is none is refused, whichever call it is for", "[api][garbage]") {
  const Served served;
  const auto seed = std::random_device()();
  INFO("seed " << seed);
  std::mt19937 random(seed);
  const auto channel = served.channel();
  for (const auto* method :
       {"RepoService/CreateRepo", "RepoService/InspectRepo", "RepoService/ListRepos",
        "BranchService/CreateBranch", "BranchService/ListBranches", "BranchService/UpdateBranch",
        "CommitService/StartCommit", "CommitService/FinishCommit", "CommitService/ListCommits",
        "FileService/PutFiles", "FileService/GetFiles", "FileService/ListFiles",
        "FileService/CopyFile", "FileService/DeleteFile", "AdminService/GetStatus",
        "PipelineService/CreatePipelines", "JobService/ListJobs", "NoService/NoCall"}) {
    CAPTURE(method);
    for (int round = 0; round < 12; ++round) {
      // small field numbers with lengths that fit are read as text of ours
      std::string bytes = random_bytes(random, 200);
      if (round % 2 == 0) {
        const auto text = random_bytes(random, 60);
        bytes = std::string("\x0a") + static_cast<char>(text.size()) + text;
      }
      (void)call(channel, std::string("/pfs.v1.") + method, bytes);
    }
  }
  CHECK(is_healthy(served));
}

}  // namespace
}  // namespace pfs::test
