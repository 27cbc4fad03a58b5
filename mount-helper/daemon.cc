#include "mount-helper/daemon.h"

#include <spawn.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <climits>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <vector>

namespace pfs::mount_helper {

namespace {

std::string directory_of(const std::string& path) { return path.substr(0, path.rfind('/')); }

// Beside ourselves (a build tree), or in ../bin (installed in sbin); never by PATH.
std::optional<std::string> find_program(const std::string& name) {
  std::array<char, PATH_MAX> self{};
  const ssize_t size = readlink("/proc/self/exe", self.data(), self.size() - 1);
  if (size <= 0) return std::nullopt;
  const std::string here = directory_of(std::string(self.data(), static_cast<std::size_t>(size)));
  const std::string installed = directory_of(here).append("/bin/").append(name);
  for (const std::string& candidate : {here + "/" + name, installed}) {
    if (access(candidate.c_str(), X_OK) == 0) return candidate;
  }
  return std::nullopt;
}

// Empty where there is no store yet. Source: docs/format.md "FORMAT".
std::string id_of_store(const std::string& store) {
  std::ifstream lines(store + "/FORMAT");
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("id ")) return line.substr(3);
  }
  return {};
}

std::vector<std::string> environment() {
  std::vector<std::string> variables{
      "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"};
  for (const char* name : {"HOME", "XDG_RUNTIME_DIR"}) {
    // where a user's socket is; of no meaning to root, who gets it from nobody
    const char* value = geteuid() == getuid() && geteuid() != 0 ? std::getenv(name) : nullptr;
    if (value) variables.push_back(std::string(name) + "=" + value);
  }
  return variables;
}

std::vector<char*> pointers(std::vector<std::string>& words) {
  std::vector<char*> all;
  for (auto& word : words) all.push_back(word.data());
  all.push_back(nullptr);
  return all;
}

volatile std::sig_atomic_t interrupted = 0;

void catch_interrupts() {
  struct sigaction note {};
  note.sa_handler = [](int) { interrupted = 1; };
  for (const int signal : {SIGINT, SIGTERM, SIGHUP})
    sigaction(signal, &note, nullptr);  // without SA_RESTART
}

// pfsd ends and takes its mount along when it is interrupted before it has said that it is ready.
int wait_for(pid_t pid) {
  int status = 0;
  while (waitpid(pid, &status, 0) < 0) {
    if (errno != EINTR) return kSystem;
    if (interrupted != 0) kill(pid, SIGTERM);
  }
  if (interrupted != 0) return kInterrupted;
  return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : kFailed;
}

}  // namespace

std::optional<Mount> find_whole(const Request& request, int& status) {
  status = 0;
  const std::string id = request.store.empty() ? "" : id_of_store(request.store);
  if (!request.store.empty() && id.empty()) return std::nullopt;
  std::optional<Mount> found;
  bool any_dead = false;
  bool any_others = false;
  for (const auto& mount : mounts()) {
    any_others = any_others || !mount.trusted;
    if (!mount.trusted || !mount.is_whole() || (!id.empty() && mount.source != "pfs#" + id)) continue;
    if (is_dead(mount.point)) {
      any_dead = true;
      continue;
    }
    if (found && found->source != mount.source) {
      complain(request.spec + ": several stores are mounted (" + found->point + ", " + mount.point +
               "); say which by -o store=DIR");
      status = kUsage;
      return std::nullopt;
    }
    if (!found) found = mount;
  }
  if (!found && request.store.empty()) {
    complain(request.spec +
             (any_dead    ? ": the pfsd that served it has ended"
              : any_others ? ": no pfsd of this user serves a mount here"
                           : ": no pfsd serves a mount here") +
             (geteuid() == 0 ? "; start it (`systemctl start pfsd`), or say -o store=DIR"
                             : "; mount the store first (`mount.pfs STORE DIR`), or say -o store=DIR"));
    status = kFailed;
  }
  return found;
}

bool is_served(const Request& request) {
  const auto mount = mount_at(request.directory);
  return mount && mount->trusted && mount->is_whole() && mount->source == "pfs#" + id_of_store(request.store) &&
         !is_dead(request.directory);
}

std::string place_for_whole(const std::string& store) {
  // a dead mount is replaced where it was
  const std::string id = id_of_store(store);
  for (const auto& mount : mounts()) {
    if (mount.trusted && !id.empty() && mount.is_whole() && mount.source == "pfs#" + id) return mount.point;
  }
  const char* runtime = std::getenv("XDG_RUNTIME_DIR");
  const std::string own = runtime == nullptr ? "" : runtime;
  if (geteuid() != 0 && !own.starts_with('/')) {
    complain(store + ": where to mount it as a whole is not known, as XDG_RUNTIME_DIR is not set; mount it first: mount.pfs " + store + " DIR");
    return {};
  }
  const std::string ours = geteuid() == 0 ? "/run/pfs" : own + "/pfs";
  std::string path = ours + "/stores/";
  for (const char c : store.substr(1)) path.push_back(c == '/' ? '-' : c);
  for (const std::string& directory : {ours, ours + "/stores", path}) {
    if (mkdir(directory.c_str(), 0755) == 0 || errno == EEXIST) continue;
    complain(directory + ": cannot be made: " + std::strerror(errno));
    return {};
  }
  return path;
}

int start_pfsd(const Request& request, const std::string& directory) {
  std::vector<std::string> words{"--daemonize", "--store", request.store, "--mount", directory};
  for (const auto& option : request.for_daemon)
    words.insert(words.end(), {option.flag, option.value});
  if (request.allow_other && geteuid() != 0) words.emplace_back("--allow-other");
  // a part has options of its own; the mount as a whole has them when it is what was asked for
  std::string list;
  for (const auto& option : request.kernel_options) list += (list.empty() ? "" : ",") + option;
  if (!list.empty() && directory == request.directory)
    words.insert(words.end(), {"--mount-options", list});
  return run_program("pfsd", std::move(words), {});
}

int run_program(const std::string& name, std::vector<std::string> words, const std::vector<std::string>& more_variables) {
  const auto program = find_program(name);
  if (!program) {
    complain(name + " is neither beside this program nor in ../bin; install both");
    return kSystem;
  }
  words.insert(words.begin(), *program);
  std::vector<std::string> variables = environment();
  variables.insert(variables.end(), more_variables.begin(), more_variables.end());
  catch_interrupts();
  pid_t pid = 0;
  const int failed = posix_spawn(&pid, program->c_str(), nullptr, nullptr, pointers(words).data(),
                                 pointers(variables).data());
  if (failed != 0) {
    complain(*program + ": " + std::strerror(failed));
    return kSystem;
  }
  return wait_for(pid);
}

}  // namespace pfs::mount_helper
