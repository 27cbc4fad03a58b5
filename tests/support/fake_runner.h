#pragma once

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <thread>

#include <nlohmann/json.hpp>

#include "base/file.h"
#include "base/sync.h"
#include "trigger/runner.h"
#include "trigger/worker/frames.h"

namespace pfs::test {

/// What a fake container's program is given.
struct ProgramCall {
  trigger::worker::CommandRequest request;
  std::string view_path;                          ///< what is mounted at /pfs
  std::map<std::string, std::string> environment;  ///< the container's own
  std::function<void(std::string_view)> print;
  std::function<void()> lose;    ///< ends the container, as its own death would
  std::function<bool()> killed;  ///< the container is being stopped: a program that never ends looks here
};

/// Pods that are threads: they speak the worker's protocol and run a function in place of a command.
///
/// Thread-safe.
class FakeRunner final : public trigger::Runner {
 public:
  using Program = std::function<trigger::worker::CommandEnd(const ProgramCall&)>;

  explicit FakeRunner(Program program, std::set<std::string> images = {"image"})
      : program_(std::move(program)), images_(std::move(images)) {}
  ~FakeRunner() override { (void)stop_all({}); }

  Result<void> probe() override PFS_EXCLUDES(mutex_) {
    std::function<void()> call;
    {
      Lock lock(mutex_);
      call.swap(at_probe_);
    }
    if (call) call();
    return {};
  }
  std::string report() const override { return "threads of a test"; }

  Result<trigger::PodUser> user_of(const trigger::ImageRequest& request, const trigger::KeepGoing&) override {
    std::function<void(const trigger::ImageRequest&)> look;
    {
      Lock lock(mutex_);
      look = at_image_;
    }
    if (look) look(request);
    const auto& image = request.image;
    const auto& user = request.user;
    if (!images_.contains(image)) return Error{Code::kNotFound, "image " + image + ": not there"};
    if (user.empty() || user == "root") return trigger::PodUser{};
    if (user == "nobody") return trigger::PodUser{65534, 65534};
    return Error{Code::kInvalid, "image " + image + ": no user " + user};
  }

  Result<trigger::PodId> start(const trigger::PodRequest& request, const trigger::KeepGoing&) override
      PFS_EXCLUDES(mutex_) {
    auto pod = std::make_shared<Pod>();
    pod->labels = request.labels;
    const auto spec = nlohmann::json::parse(request.spec_json);
    std::map<std::string, std::string> volumes;
    for (const auto& volume : spec.at("volumes")) volumes[volume.at("name")] = volume.at("hostPath").at("path");
    const auto& container = spec.at("containers").at(0);
    ProgramCall call;
    call.view_path = volumes.at("view");
    for (const auto& variable : container.at("env")) call.environment[variable.at("name")] = variable.at("value");
    const std::string socket = volumes.at("link") + "/socket";
    pod->socket = connect_to(socket);
    if (!pod->socket) return Error{Code::kUnavailable, "nobody listens at " + socket};
    Lock lock(mutex_);
    ++started_;
    if (refused_ > 0) {
      --refused_;
      return Error{Code::kUnavailable, "no more containers"};
    }
    pod->thread = std::thread([this, pod, call] { serve(pod->socket.get(), call); });
    pods_[request.name] = pod;
    return trigger::PodId{request.name};
  }

  Result<trigger::PodStatus> status(const trigger::PodId& pod) override PFS_EXCLUDES(mutex_) {
    Lock lock(mutex_);
    if (pods_.contains(pod.value)) return trigger::PodStatus{true, {}, {}};
    return trigger::PodStatus{false, {}, "the container is gone"};
  }

  Result<std::vector<std::string>> command_within(const trigger::PodId& pod,
                                                  const std::vector<std::string>& environment, const std::string& directory) override {
    std::vector<std::string> words{"within", pod.value};
    words.insert(words.end(), environment.begin(), environment.end());
    if (!directory.empty()) words.push_back("in " + directory);
    return words;
  }

  Result<void> stop(const trigger::PodId& pod) override PFS_EXCLUDES(mutex_) {
    std::shared_ptr<Pod> taken;
    {
      Lock lock(mutex_);
      if (unstoppable_ > 0) {
        --unstoppable_;
        return Error{Code::kUnavailable, "it cannot be removed"};
      }
      const auto found = pods_.find(pod.value);
      if (found == pods_.end()) return {};
      taken = found->second;
      pods_.erase(found);
    }
    ::shutdown(taken->socket.get(), SHUT_RDWR);
    taken->thread.join();
    return {};
  }

  Result<void> stop_all(const std::map<std::string, std::string>& labels) override PFS_EXCLUDES(mutex_) {
    std::vector<std::string> names;
    {
      Lock lock(mutex_);
      for (const auto& [name, pod] : pods_) {
        bool has_all = true;
        for (const auto& [label, value] : labels) {
          const auto found = pod->labels.find(label);
          has_all = has_all && found != pod->labels.end() && found->second == value;
        }
        if (has_all) names.push_back(name);
      }
    }
    for (const auto& name : names) PFS_TRY(stop({name}));
    return {};
  }

  /// Called once, when it is asked whether there is a runtime: specs are planned then, and not yet carried out.
  void at_next_probe(std::function<void()> call) PFS_EXCLUDES(mutex_) {
    Lock lock(mutex_);
    at_probe_ = std::move(call);
  }
  /// Called whenever it is asked for an image.
  void at_image(std::function<void(const trigger::ImageRequest&)> call) PFS_EXCLUDES(mutex_) {
    Lock lock(mutex_);
    at_image_ = std::move(call);
  }
  /// The next so many do not start.
  void refuse(int times) PFS_EXCLUDES(mutex_) {
    Lock lock(mutex_);
    refused_ = times;
  }
  /// The next so many calls of stop() fail.
  void refuse_to_stop(int times) PFS_EXCLUDES(mutex_) {
    Lock lock(mutex_);
    unstoppable_ = times;
  }
  /// What happens to containers that are killed from outside.
  void lose_all() PFS_EXCLUDES(mutex_) {
    Lock lock(mutex_);
    for (const auto& [name, pod] : pods_) ::shutdown(pod->socket.get(), SHUT_RDWR);
  }
  int running() const PFS_EXCLUDES(mutex_) {
    Lock lock(mutex_);
    return static_cast<int>(pods_.size());
  }
  int started() const PFS_EXCLUDES(mutex_) {
    Lock lock(mutex_);
    return started_;
  }

 private:
  struct Pod {
    std::map<std::string, std::string> labels;
    UniqueFd socket;
    std::thread thread;
  };

  static UniqueFd connect_to(const std::string& path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strncpy(address.sun_path, path.c_str(), sizeof address.sun_path - 1);
    UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) fd.reset();
    return fd;
  }

  static void send(int fd, std::string frame) {
    (void)!::send(fd, frame.data(), frame.size(), MSG_NOSIGNAL);
  }

  void serve(int fd, ProgramCall call) const {
    using namespace trigger::worker;
    send(fd, FrameWriter(FrameType::kHello).number(kProtocol).finish());
    call.print = [fd](std::string_view text) { send(fd, FrameWriter(FrameType::kOutput).string(text).finish()); };
    call.killed = [fd] {
      char byte = 0;
      return ::recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0;
    };
    call.lose = [fd] { ::shutdown(fd, SHUT_RDWR); };
    FrameBuffer received;
    char piece[4096];
    for (ssize_t got = ::read(fd, piece, sizeof piece); got > 0; got = ::read(fd, piece, sizeof piece)) {
      received.append({piece, static_cast<std::size_t>(got)});
      while (auto frame = received.next()) {
        FrameReader fields(frame->fields);
        call.request.arguments = fields.list();
        call.request.input = fields.string();
        call.request.environment = fields.list();
        call.request.directory = fields.string();
        const CommandEnd end = program_(call);
        send(fd, FrameWriter(FrameType::kEnded)
                     .number(static_cast<std::uint32_t>(end.how))
                     .number(end.code)
                     .string(end.why)
                     .finish());
      }
    }
  }

  const Program program_;
  const std::set<std::string> images_;
  mutable Mutex mutex_{LockRank::kLeaf};
  std::map<std::string, std::shared_ptr<Pod>> pods_ PFS_GUARDED_BY(mutex_);
  int started_ PFS_GUARDED_BY(mutex_) = 0;
  std::function<void()> at_probe_ PFS_GUARDED_BY(mutex_);
  std::function<void(const trigger::ImageRequest&)> at_image_ PFS_GUARDED_BY(mutex_);
  int refused_ PFS_GUARDED_BY(mutex_) = 0;
  int unstoppable_ PFS_GUARDED_BY(mutex_) = 0;
};

}  // namespace pfs::test
