#include "daemon/options.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <climits>
#include <cstdlib>
#include <utility>

#include <fmt/format.h>
#include <spdlog/spdlog.h>
#include <CLI/CLI.hpp>

#include "base/duration.h"
#include "base/names.h"
#include "daemon/network_options.h"

namespace pfs::daemon {

namespace {

// What is given to the kernel as it is; all else that a mount can be asked for has a flag of its
// own. Source: mount(8).
constexpr std::array<std::string_view, 10> kMountOptions = {
    "ro", "rw", "suid", "nosuid", "dev", "nodev", "noexec", "exec", "noatime", "dirsync"};

std::string absolute(const std::string& path) {
  if (path.empty() || path.starts_with('/')) return path;
  std::array<char, PATH_MAX> here{};
  return getcwd(here.data(), here.size()) ? std::string(here.data()) + "/" + path : path;
}

Error refused(const std::string& what) { return Error{Code::kInvalid, what + "; see pfsd --help"}; }

// What the command line and the file say, before it is checked.
struct Words {
  Options options;
  std::string config;
  std::string owner;
  std::string group;
  std::string umask;
  std::string commit_after = "1s";
  std::string commit_max = "60s";
  std::string idle_time = "10m";
  std::string new_commit;
  std::string new_commit_after;
  std::string new_commit_max;
  NetworkWords network;
  bool foreground = false;
};

void describe(CLI::App& app, Words& words) {
  Options& options = words.options;
  app.description("Serves the store in a directory as a file system, and the API on a socket.");
  app.footer("SIGTERM or SIGINT: finish what is open, unmount, end.");
  app.set_version_flag("--version", "pfsd " PFS_VERSION);
  app.set_config("--config", "", "a TOML file with these names; the command line wins")
      ->type_name("FILE");
  app.allow_config_extras(CLI::config_extras_mode::error);
  // as everywhere: of one that is given twice the last counts, so that a script's can be changed
  // behind it
  app.option_defaults()->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
  const auto text = [&](const std::string& name, std::string& into, const std::string& type,
                        const std::string& help) {
    app.add_option("--" + name, into, help)->type_name(type);
  };
  text("store", options.store_path, "DIR", "the store; made when it is not there");
  text("mount", options.mount_path, "DIR", "an existing directory to mount it on");
  text("socket", options.socket_path, "PATH",
       "the API's socket (root: /run/pfs/pfsd.sock; others: $XDG_RUNTIME_DIR/pfs/pfsd.sock)");
  describe_network(app, words.network);
  text("log-level", options.log_level, "LEVEL", "debug, info, warn or error (info)");
  app.add_flag("--daemonize", options.daemonize,
               "return when the mount answers; then log to STORE/pfsd.log");
  app.add_flag("--foreground", words.foreground, "stay (the default)");
  app.add_option("--mount-options", options.mount_options,
                 "for the kernel: ro, noexec, nosuid, nodev, noatime, dirsync")
      ->type_name("LIST")
      ->delimiter(',')
      ->allow_extra_args(false)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  app.add_flag("--allow-other", options.allow_other,
               "insist that other users may enter; else they may where it is allowed");
  text("uid", words.owner, "UID", "show every file as this user's");
  text("gid", words.group, "GID", "show every file as this group's");
  text("umask", words.umask, "OCTAL", "show no file with these bits of its mode");
  text("commit", options.commit, "WHEN",
       "when changes become a commit: auto, close or manual (auto)");
  text("commit-after", words.commit_after, "TIME", "auto: so long without a change (1s)");
  text("commit-max", words.commit_max, "TIME", "auto: at the latest after so long; 0: never (60s)");
  text("new-branches-commit", words.new_commit, "WHEN",
       "the same, kept by each branch that is made through the mount as its own");
  text("new-branches-commit-after", words.new_commit_after, "TIME", "likewise");
  text("new-branches-commit-max", words.new_commit_max, "TIME", "likewise");
  text("container-engine", options.container_engine, "NAME",
       "what runs pipelines: podman, docker, or the path of one of them (podman)");
  text("container-idle", words.idle_time, "TIME",
       "containers that had no job for so long are stopped (10m)");
  app.add_option("--ready-fd", options.ready_fd)->group("")->configurable(false);
}

Result<std::optional<std::uint32_t>> number(const std::string& text, int base,
                                            const std::string& name, std::uint32_t most) {
  if (text.empty()) return std::optional<std::uint32_t>();
  char* end = nullptr;
  const unsigned long long value = std::strtoull(text.c_str(), &end, base);
  if (*end != '\0' || !std::isdigit(static_cast<unsigned char>(text.front())) || value > most) {
    return refused(
        fmt::format("--{} {}: is no {}number", name, printable(text), base == 8 ? "octal " : ""));
  }
  return std::optional(static_cast<std::uint32_t>(value));
}

Result<std::chrono::milliseconds> duration(const std::string& name, const std::string& text) {
  auto parsed = parse_duration(text);
  if (!parsed) return std::move(parsed).error().within("--" + name);
  return parsed;
}

Result<store::PolicySettings> policy_of_new_branches(const Words& words) {
  store::PolicySettings policy;
  if (!words.new_commit.empty()) {
    auto when = store::parse_commit_when(words.new_commit);
    if (!when) return std::move(when).error().within("--new-branches-commit");
    policy.when = *when;
  }
  if (!words.new_commit_after.empty()) {
    PFS_TRY_ASSIGN(policy.after, duration("new-branches-commit-after", words.new_commit_after));
  }
  if (!words.new_commit_max.empty()) {
    PFS_TRY_ASSIGN(policy.max, duration("new-branches-commit-max", words.new_commit_max));
  }
  return policy;
}

Result<void> check(const Options& options) {
  if (options.store_path.empty())
    return Error{Code::kInvalid, "--store is missing: the directory of the store"};
  if (options.mount_path.empty())
    return Error{Code::kInvalid, "--mount is missing: the directory to mount on"};
  const std::string inside = options.mount_path + (options.mount_path.ends_with('/') ? "" : "/");
  if (options.store_path == options.mount_path || options.store_path.starts_with(inside)) {
    return Error{Code::kInvalid,
                 fmt::format("--store {}: lies below the mount {}, which would hide it; choose "
                             "another directory for one of them",
                             options.store_path, options.mount_path)};
  }
  // spdlog takes every unknown word for `off`
  if (options.log_level != "off" &&
      spdlog::level::from_str(options.log_level) == spdlog::level::off) {
    return Error{Code::kInvalid, fmt::format("--log-level {}: is debug, info, warn or error",
                                             printable(options.log_level))};
  }
  if (options.commit != "auto" && options.commit != "close" && options.commit != "manual") {
    return Error{Code::kInvalid,
                 fmt::format("--commit {}: is auto, close or manual", printable(options.commit))};
  }
  for (const auto& option : options.mount_options) {
    if (std::find(kMountOptions.begin(), kMountOptions.end(), option) == kMountOptions.end())
      return refused(fmt::format("--mount-options {}: is none of those that pfsd hands on",
                                 printable(option)));
  }
  return {};
}

Result<Options> checked(Words words) {
  Options& options = words.options;
  if (words.foreground || options.ready_fd >= 0) options.daemonize = false;
  for (auto* path : {&options.store_path, &options.mount_path, &options.socket_path})
    *path = absolute(*path);
  if (options.socket_path.empty()) options.socket_path = default_socket_path();
  PFS_TRY_ASSIGN(options.appearance.uid, number(words.owner, 10, "uid", UINT_MAX - 1));
  PFS_TRY_ASSIGN(options.appearance.gid, number(words.group, 10, "gid", UINT_MAX - 1));
  PFS_TRY_ASSIGN(const auto umask, number(words.umask, 8, "umask", 0777));
  options.appearance.umask = umask.value_or(0);
  PFS_TRY_ASSIGN(options.commit_after, duration("commit-after", words.commit_after));
  PFS_TRY_ASSIGN(options.commit_max, duration("commit-max", words.commit_max));
  PFS_TRY_ASSIGN(options.idle_time, duration("container-idle", words.idle_time));
  PFS_TRY_ASSIGN(options.new_branches, policy_of_new_branches(words));
  for (auto* path : {&words.network.certificate, &words.network.key, &words.network.client_ca})
    *path = absolute(*path);
  PFS_TRY_ASSIGN(options.tcp, checked_network(words.network));
  PFS_TRY(check(options));
  return std::move(options);
}

// CLI11 says most of it well, but begins with a capital.
std::string lower_first(std::string text) {
  if (text.size() > 1 && std::islower(static_cast<unsigned char>(text[1])))
    text.front() = static_cast<char>(std::tolower(static_cast<unsigned char>(text.front())));
  std::replace(text.begin(), text.end(), '\n', ' ');
  while (text.ends_with(' ') || text.ends_with('.')) text.pop_back();
  return text;
}

}  // namespace

std::string default_socket_path() {
  if (geteuid() == 0) return "/run/pfs/pfsd.sock";
  if (const char* directory = std::getenv("XDG_RUNTIME_DIR"))
    return std::string(directory) + "/pfs/pfsd.sock";
  const char* home = std::getenv("HOME");
  return std::string(home ? home : "/tmp") + "/.cache/pfs/pfsd.sock";
}

Result<Options> parse_options(int argc, const char* const* argv) {
  Words words;
  CLI::App app("", "pfsd");
  describe(app, words);
  try {
    app.parse(argc, argv);
  } catch (const CLI::CallForHelp&) {
    Options help;
    help.text = app.help();
    return help;
  } catch (const CLI::CallForVersion& version) {
    Options said;
    said.text = std::string(version.what()) + "\n";
    return said;
  } catch (const CLI::ConfigError& e) {
    const std::string text = e.what();
    return refused(fmt::format("{}: {}: no such option", app.get_config_ptr()->as<std::string>(),
                               text.substr(text.rfind(' ') + 1)));
  } catch (const CLI::FileError&) {
    return Error{Code::kInvalid, fmt::format("--config {}: cannot be read",
                                             app.get_config_ptr()->as<std::string>())};
  } catch (const CLI::ParseError& e) {
    return refused(lower_first(e.what()));
  }
  return checked(std::move(words));
}

}  // namespace pfs::daemon
