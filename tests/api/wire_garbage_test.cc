// What is no HTTP/2, no gRPC or no message of ours: the daemon lives on, and answers who talks sense.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <array>
#include <chrono>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include <catch2/catch.hpp>
#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>
#include <grpcpp/generic/generic_stub.h>

#include "api/served.h"
#include "base/clock.h"
#include "base/file.h"
#include "cli/recorded_pipelines.h"
#include "support/must.h"
#include "support/temporary_directory.h"
#include "trigger/secrets.h"

namespace pfs::test {
namespace {

struct Answer {
  grpc::Status status;
  std::string bytes;
};

grpc::ByteBuffer buffer_of(const std::string& bytes) {
  const grpc::Slice slice(bytes);
  return grpc::ByteBuffer(&slice, 1);
}

/// Sends the messages, one at least, and takes one back: of a stream of answers the first.
Answer call(const std::shared_ptr<grpc::Channel>& channel, const std::string& method,
            const std::vector<std::string>& messages,
            std::chrono::milliseconds patience = std::chrono::seconds(10)) {
  grpc::GenericStub stub(channel);
  grpc::ClientContext context;
  bound(context, patience);
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
    bool taken = true;
    for (std::size_t i = 0; i + 1 < messages.size() && taken; ++i) {
      stream->Write(buffer_of(messages[i]), nullptr);
      taken = next();
    }
    if (taken) {
      stream->WriteLast(buffer_of(messages.back()), grpc::WriteOptions(), nullptr);
      next();
    }
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
  return call(served.channel(), "/grpc.health.v1.Health/Check", {""}).bytes == "\x08\x01";
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
                             {std::string("\x3a\x01*")});
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

/// All of our services, as the protos describe them.
std::vector<const google::protobuf::ServiceDescriptor*> services() {
  std::vector<const google::protobuf::ServiceDescriptor*> all;
  for (const auto* name : {"admin", "branch", "commit", "datum", "file", "job", "mount", "pipeline", "repo",
                           "secret", "transaction"}) {
    const auto* file = google::protobuf::DescriptorPool::generated_pool()->FindFileByName(
        std::string("pfs/v1/") + name + ".proto");
    REQUIRE(file != nullptr);
    for (int i = 0; i < file->service_count(); ++i) all.push_back(file->service(i));
  }
  return all;
}

/// What a field may hold, of which much means something to a daemon with data@master.
class AnyMessage {
 public:
  explicit AnyMessage(std::mt19937& random) : random_(random) {}

  std::string of(const google::protobuf::Descriptor* type) {
    const std::unique_ptr<google::protobuf::Message> message(
        google::protobuf::MessageFactory::generated_factory()->GetPrototype(type)->New());
    fill(*message, 3);
    return message->SerializeAsString();
  }

 private:
  bool one_in(unsigned count) { return random_() % count == 0; }

  std::string text() {
    static const std::array<const char*, 16> kWords = {
        "data",  "master", "data@master", "/",   "/f", "f",  "*",  "/**",
        "edges", "^",      "..",          "1GB", "{}", "@x", "{[", "0123456789abcdef0123456789abcdef"};
    return one_in(8) ? random_bytes(random_, 300) : std::string(kWords[random_() % kWords.size()]);
  }

  std::int64_t number() {
    static const std::array<std::int64_t, 6> kNumbers = {
        0, 1, -1, 4096, std::numeric_limits<std::int64_t>::max(),
        std::numeric_limits<std::int64_t>::min()};
    return kNumbers[random_() % kNumbers.size()];
  }

  void fill(google::protobuf::Message& message, int depth) {
    const auto* type = message.GetDescriptor();
    for (int i = 0; i < type->field_count(); ++i) {
      const auto* field = type->field(i);
      if (one_in(4)) continue;
      if (field->is_repeated()) {
        for (auto count = random_() % 3; count > 0; --count) set(message, *field, depth);
      } else {
        set(message, *field, depth);
      }
    }
  }

  void set(google::protobuf::Message& message, const google::protobuf::FieldDescriptor& field,
           int depth) {
    using Field = google::protobuf::FieldDescriptor;
    const auto& reflection = *message.GetReflection();
    const bool many = field.is_repeated();
    switch (field.cpp_type()) {
      case Field::CPPTYPE_INT32: {
        const auto value = static_cast<std::int32_t>(number());
        many ? reflection.AddInt32(&message, &field, value) : reflection.SetInt32(&message, &field, value);
        return;
      }
      case Field::CPPTYPE_INT64: {
        const auto value = number();
        many ? reflection.AddInt64(&message, &field, value) : reflection.SetInt64(&message, &field, value);
        return;
      }
      case Field::CPPTYPE_UINT32: {
        const auto value = static_cast<std::uint32_t>(number());
        many ? reflection.AddUInt32(&message, &field, value) : reflection.SetUInt32(&message, &field, value);
        return;
      }
      case Field::CPPTYPE_UINT64: {
        const auto value = static_cast<std::uint64_t>(number());
        many ? reflection.AddUInt64(&message, &field, value) : reflection.SetUInt64(&message, &field, value);
        return;
      }
      case Field::CPPTYPE_DOUBLE: {
        const auto value = static_cast<double>(number());
        many ? reflection.AddDouble(&message, &field, value) : reflection.SetDouble(&message, &field, value);
        return;
      }
      case Field::CPPTYPE_FLOAT: {
        const auto value = static_cast<float>(number());
        many ? reflection.AddFloat(&message, &field, value) : reflection.SetFloat(&message, &field, value);
        return;
      }
      case Field::CPPTYPE_BOOL: {
        const bool value = one_in(2);
        many ? reflection.AddBool(&message, &field, value) : reflection.SetBool(&message, &field, value);
        return;
      }
      case Field::CPPTYPE_ENUM: {
        const auto value = static_cast<int>(random_() % 9);  // also one that there is not
        many ? reflection.AddEnumValue(&message, &field, value)
             : reflection.SetEnumValue(&message, &field, value);
        return;
      }
      case Field::CPPTYPE_STRING: {
        many ? reflection.AddString(&message, &field, text()) : reflection.SetString(&message, &field, text());
        return;
      }
      case Field::CPPTYPE_MESSAGE: {
        if (depth == 0) return;
        fill(many ? *reflection.AddMessage(&message, &field) : *reflection.MutableMessage(&message, &field),
             depth - 1);
        return;
      }
    }
  }

  std::mt19937& random_;
};

/// A few bytes are others, or the end is missing.
std::string damaged(std::mt19937& random, std::string bytes) {
  if (bytes.empty()) return bytes;
  for (auto count = random() % 4; count > 0; --count)
    bytes[random() % bytes.size()] = static_cast<char>(random() & 0xFFU);
  if (random() % 4 == 0) bytes.resize(random() % bytes.size());
  return bytes;
}

TEST_CASE("every call answers whatever its message is", "[api][garbage]") {
  const TemporaryDirectory directory;
  SystemClock clock;
  const auto secrets = must(trigger::Secrets::open(directory / "secrets", clock));
  RecordedPipelines pipelines;
  Served served(&pipelines, secrets.get());
  const auto seed = std::random_device()();
  INFO("seed " << seed);
  std::mt19937 random(seed);
  AnyMessage any(random);
  const auto channel = served.channel();
  const auto master = branch_ref("data@master");
  int methods = 0;
  const auto all = services();
  for (const auto* service : all) {
    for (int i = 0; i < service->method_count(); ++i, ++methods) {
      const auto* method = service->method(i);
      const auto path = "/" + service->full_name() + "/" + method->name();
      CAPTURE(path);
      // what was sent before may have deleted it
      (void)served.world().catalog().create_branch(master, std::nullopt, true);
      for (int round = 0; round < 12; ++round) {
        std::vector<std::string> messages;
        for (auto count = method->client_streaming() ? 1 + random() % 5 : 1U; count > 0; --count) {
          auto message = round % 3 == 0 ? random_bytes(random, 200) : any.of(method->input_type());
          if (round % 3 == 1) message = damaged(random, std::move(message));
          messages.push_back(std::move(message));
        }
        // some answer only when something happens
        (void)call(channel, path, messages, std::chrono::milliseconds(500));
      }
      CHECK(is_healthy(served));
    }
  }
  // none is missing in the list of protos
  const auto told = call(channel, "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
                         {std::string("\x3a\x01*")})
                        .bytes;
  std::size_t served_services = 0;
  for (auto at = told.find("pfs.v1."); at != told.npos; at = told.find("pfs.v1.", at + 1))
    ++served_services;
  CHECK(all.size() == served_services);
  CHECK(methods >= 54);
  (void)call(channel, "/pfs.v1.NoService/NoCall", {"\x0a\x01x"});
  CHECK(is_healthy(served));
}

}  // namespace
}  // namespace pfs::test
