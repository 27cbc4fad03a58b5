// mount.pfs: what mount(8) runs for `mount -t pfs STORE DIR` and for a line of fstab. It starts
// pfsd for the store and returns when the mount answers. It includes nothing of pfs, uses no shell,
// and starts one program by its absolute path with an environment of its own, because mount(8) may
// run it with privileges.
//
// Source: mount(8), "External helpers" and "Exit status"; the argument order is libmount's.

#include <limits.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace {

// Source: mount(8), "Exit status".
constexpr int kUsage = 1;
constexpr int kSystem = 2;
constexpr int kFailed = 32;

struct Request {
  std::string store;
  std::string directory;
  std::string socket;
  std::string log_level;
  bool fake = false;
  bool verbose = false;
  bool sloppy = false;
  std::vector<std::string> unknown;
};

int usage(const std::string& trouble) {
  std::fprintf(stderr,
               "mount.pfs: %s\nusage: mount.pfs STORE_DIR MOUNTPOINT [-fnsv] [-o options]\n",
               trouble.c_str());
  return kUsage;
}

// What mount(8) and systemd hand on and is nothing to us, and what a mount of pfs is by itself.
bool is_swallowed(std::string_view name) {
  static constexpr std::array<std::string_view, 17> kSwallowed = {
      "rw",     "defaults", "auto", "noauto", "user", "users", "nouser",   "owner",      "group",
      "nofail", "_netdev",  "exec", "async",  "suid", "dev",   "relatime", "allow_other"};
  for (const auto word : kSwallowed) {
    if (name == word) return true;
  }
  return name.starts_with("x-") || name.starts_with("X-") || name == "comment";
}

// `a,b=c\,d`: a backslash takes the character after it as it is.
std::vector<std::string> split_options(const std::string& text) {
  std::vector<std::string> options(1);
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\' && i + 1 < text.size()) {
      options.back().push_back(text[++i]);
    } else if (text[i] == ',') {
      options.emplace_back();
    } else {
      options.back().push_back(text[i]);
    }
  }
  return options;
}

void take_option(const std::string& option, Request& request) {
  const auto equals = option.find('=');
  const std::string name = option.substr(0, equals);
  const std::string value = equals == std::string::npos ? "" : option.substr(equals + 1);
  if (name.empty() || is_swallowed(name)) return;
  if (name == "socket") {
    request.socket = value;
  } else if (name == "log_level") {
    request.log_level = value;
  } else {
    request.unknown.push_back(name);
  }
}

// nullopt: complained already.
std::optional<Request> parse(int argc, char** argv) {
  Request request;
  std::vector<std::string> words;
  // SPEC and DIR come first from libmount; people write them anywhere
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    if (word == "-o" || word == "-t" || word == "-N") {
      if (++i == argc) return usage(word + " wants a value"), std::nullopt;
      if (word == "-o") {
        for (const auto& option : split_options(argv[i])) take_option(option, request);
      }
      if (word == "-N") return usage("-N: another mount namespace is not supported"), std::nullopt;
    } else if (word.size() > 1 && word[0] == '-') {
      for (const char letter : word.substr(1)) {
        switch (letter) {
          case 'f': request.fake = true; break;
          case 'v': request.verbose = true; break;
          case 's': request.sloppy = true; break;
          case 'n': break;  // no mtab: there is none to write
          default: return usage(std::string("unknown option -") + letter), std::nullopt;
        }
      }
    } else {
      words.push_back(word);
    }
  }
  if (words.size() != 2)
    return usage("a store directory and a mount point are needed"), std::nullopt;
  request.store = words[0];
  request.directory = words[1];
  return request;
}

std::string directory_of(const std::string& path) { return path.substr(0, path.rfind('/')); }

// pfsd beside ourselves (a build tree), or in ../bin (installed in sbin); never by PATH.
std::optional<std::string> find_pfsd() {
  std::array<char, PATH_MAX> self{};
  const ssize_t size = readlink("/proc/self/exe", self.data(), self.size() - 1);
  if (size <= 0) return std::nullopt;
  const std::string here = directory_of(std::string(self.data(), static_cast<std::size_t>(size)));
  for (const std::string& candidate : {here + "/pfsd", directory_of(here) + "/bin/pfsd"}) {
    if (access(candidate.c_str(), X_OK) == 0) return candidate;
  }
  return std::nullopt;
}

int start_pfsd(const std::string& pfsd, const Request& request) {
  std::vector<std::string> words{pfsd,          "--daemonize", "--store",
                                 request.store, "--mount",     request.directory};
  if (!request.socket.empty()) words.insert(words.end(), {"--socket", request.socket});
  if (!request.log_level.empty()) words.insert(words.end(), {"--log-level", request.log_level});
  std::vector<char*> arguments;
  for (auto& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);

  std::vector<std::string> variables{
      "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"};
  for (const char* name : {"HOME", "XDG_RUNTIME_DIR"}) {
    // where a user's socket is; of no meaning to root, who gets it from nobody
    const char* value = geteuid() == getuid() && geteuid() != 0 ? std::getenv(name) : nullptr;
    if (value) variables.push_back(std::string(name) + "=" + value);
  }
  std::vector<char*> environment;
  for (auto& variable : variables) environment.push_back(variable.data());
  environment.push_back(nullptr);

  pid_t pid = 0;
  const int failed =
      posix_spawn(&pid, pfsd.c_str(), nullptr, nullptr, arguments.data(), environment.data());
  if (failed != 0) {
    std::fprintf(stderr, "mount.pfs: %s: %s\n", pfsd.c_str(), std::strerror(failed));
    return kSystem;
  }
  int status = 0;
  while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : kFailed;
}

}  // namespace

int main(int argc, char** argv) {
  const auto request = parse(argc, argv);
  if (!request) return kUsage;
  if (!request->unknown.empty() && !request->sloppy)
    return usage("unknown option " + request->unknown.front());
  struct stat about {};
  if (stat(request->directory.c_str(), &about) == 0 && !S_ISDIR(about.st_mode)) {
    std::fprintf(stderr, "mount.pfs: %s: not a directory\n", request->directory.c_str());
    return kFailed;
  }
  const auto pfsd = find_pfsd();
  if (!pfsd) {
    std::fprintf(stderr, "mount.pfs: pfsd is neither beside this program nor in ../bin\n");
    return kSystem;
  }
  if (request->verbose) {
    std::printf("mount.pfs: %s on %s by %s\n", request->store.c_str(), request->directory.c_str(),
                pfsd->c_str());
  }
  if (request->fake) return 0;
  return start_pfsd(*pfsd, *request);
}
