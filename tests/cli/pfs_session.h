#pragma once

#include <fcntl.h>
#include <spawn.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>
#include <memory>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

#include "api/server.h"
#include "base/clock.h"
#include "store/store.h"
#include "support/temporary_directory.h"
#include "trigger/secrets.h"

namespace pfs::test {

/// How a run of `pfs` ended.
struct Said {
  int status = -1;
  std::string out;
  std::string err;
  long max_rss_kib = 0;
};

inline std::string text_of_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

inline void make_file(const std::string& path, const std::string& text) {
  std::ofstream(path, std::ios::binary) << text;
}

/// A store in a directory of its own, a server on it, and the real `pfs` that talks to that server.
class PfsSession {
 public:
  explicit PfsSession(trigger::Pipelines* pipelines = nullptr) : pipelines_(pipelines) { open(); }

  /// Runs `pfs` with these arguments; `input` is its stdin.
  Said pfs(std::vector<std::string> arguments, const std::string& input = "") {
    make_file(directory_ / "stdin", input);
    arguments.insert(arguments.begin(), PFS_BINARY);
    std::vector<char*> pointers;
    for (auto& argument : arguments) pointers.push_back(argument.data());
    pointers.push_back(nullptr);
    auto variables = environment.empty() ? std::vector{"PFS_ADDRESS=unix:" + socket(),
                                                         "PFS_CONFIG=" + path("config.json")}
                                           : environment;
    std::vector<char*> variable_pointers;
    for (auto& variable : variables) variable_pointers.push_back(variable.data());
    variable_pointers.push_back(nullptr);

    posix_spawn_file_actions_t actions;
    ::posix_spawn_file_actions_init(&actions);
    ::posix_spawn_file_actions_addopen(&actions, 0, (directory_ / "stdin").c_str(), O_RDONLY, 0);
    ::posix_spawn_file_actions_addopen(&actions, 1, (directory_ / "stdout").c_str(),
                                       O_WRONLY | O_CREAT | O_TRUNC, 0600);
    ::posix_spawn_file_actions_addopen(&actions, 2, (directory_ / "stderr").c_str(),
                                       O_WRONLY | O_CREAT | O_TRUNC, 0600);
    pid_t pid = 0;
    const int failed =
        ::posix_spawn(&pid, PFS_BINARY, &actions, nullptr, pointers.data(), variable_pointers.data());
    ::posix_spawn_file_actions_destroy(&actions);
    if (failed != 0) throw std::runtime_error("cannot start " PFS_BINARY);
    int status = 0;
    rusage usage{};
    ::wait4(pid, &status, 0, &usage);
    Said said;
    said.status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    said.out = text_of_file(directory_ / "stdout");
    said.err = text_of_file(directory_ / "stderr");
    said.max_rss_kib = usage.ru_maxrss;
    return said;
  }

  /// As pfs(); for commands that must succeed. Returns what it printed.
  std::string ok(std::vector<std::string> arguments, const std::string& input = "") {
    const auto said = pfs(std::move(arguments), input);
    if (said.status != 0)
      throw std::runtime_error("pfs: status " + std::to_string(said.status) + ": " + said.err);
    return said.out;
  }

  /// What `pfs` gets as its whole environment; empty: the address of the socket.
  std::vector<std::string> environment;
  /// For the next open().
  api::TcpOptions tcp;

  api::Server& server() { return *server_; }
  store::Store& store() { return *store_; }
  std::string socket() const { return directory_ / "pfsd.sock"; }
  /// A path for the test's own files.
  std::string path(const std::string& name) const { return directory_ / name; }

  void stop() {
    server_.reset();
    store_.reset();
  }
  void open() {
    store::StoreOptions options;
    options.path = directory_ / "store";
    options.clock = &clock_;
    options.automatic_commits = false;
    auto store = store::Store::open(options);
    if (!store) throw std::runtime_error(store.error().message);
    store_ = *std::move(store);
    auto secrets = trigger::Secrets::open(directory_ / "secrets", clock_);
    if (!secrets) throw std::runtime_error(secrets.error().message);
    secrets_ = *std::move(secrets);
    auto server = api::Server::start(server_options());
    if (!server) throw std::runtime_error(server.error().message);
    server_ = *std::move(server);
  }
  api::ServerOptions server_options() {
    api::ServerOptions options;
    options.socket_path = socket();
    options.tcp = tcp;
    options.store = store_.get();
    options.pipelines = pipelines_;
    options.secrets = secrets_.get();
    options.version = "9.9.9";
    return options;
  }

 private:
  TemporaryDirectory directory_;
  SystemClock clock_;
  trigger::Pipelines* pipelines_;
  std::unique_ptr<store::Store> store_;
  std::unique_ptr<trigger::Secrets> secrets_;
  std::unique_ptr<api::Server> server_;
};

}  // namespace pfs::test
