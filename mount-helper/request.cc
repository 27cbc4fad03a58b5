#include "mount-helper/request.h"

#include <sys/mount.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cstdio>
#include <string_view>

namespace pfs::mount_helper {

namespace {

std::nullopt_t refuse(const std::string& trouble) {
  complain(trouble +
           "; usage: mount.pfs STORE_DIR|REPO@REF[:/DIR]|pfs MOUNTPOINT [-fnsv] [-o options]");
  return std::nullopt;
}

// What mount(8) and systemd hand on and is nothing to us, and what a mount of pfs is by itself.
bool is_swallowed(std::string_view name) {
  static constexpr std::array<std::string_view, 15> kSwallowed = {
      "defaults", "auto",    "noauto", "user",  "users",    "nouser",  "owner",      "group",
      "nofail",   "_netdev", "async",  "atime", "relatime", "comment", "strictatime"};
  // a remount is asked for with what /proc/mounts says of a FUSE mount
  static constexpr std::array<std::string_view, 7> kListed = {
      "user_id", "group_id", "default_permissions", "max_read", "blksize", "fsname", "subtype"};
  if (std::find(kSwallowed.begin(), kSwallowed.end(), name) != kSwallowed.end()) return true;
  if (std::find(kListed.begin(), kListed.end(), name) != kListed.end()) return true;
  return name.starts_with("x-") || name.starts_with("X-");
}

// What the kernel does for a mount by itself.
struct KernelOption {
  std::string_view name;
  unsigned long long set;
  unsigned long long clear;
};
constexpr std::array<KernelOption, 10> kKernelOptions{
    {{"ro", MOUNT_ATTR_RDONLY, 0},
     {"rw", 0, MOUNT_ATTR_RDONLY},
     {"nosuid", MOUNT_ATTR_NOSUID, 0},
     {"suid", 0, MOUNT_ATTR_NOSUID},
     {"nodev", MOUNT_ATTR_NODEV, 0},
     {"dev", 0, MOUNT_ATTR_NODEV},
     {"noexec", MOUNT_ATTR_NOEXEC, 0},
     {"exec", 0, MOUNT_ATTR_NOEXEC},
     {"noatime", MOUNT_ATTR_NOATIME, MOUNT_ATTR__ATIME},
     {"dirsync", 0, 0}}};

// Flags of pfsd by the names of options.
constexpr std::array<std::pair<std::string_view, std::string_view>, 9> kDaemonOptions{
    {{"socket", "--socket"},
     {"config", "--config"},
     {"log_level", "--log-level"},
     {"uid", "--uid"},
     {"gid", "--gid"},
     {"umask", "--umask"},
     {"commit", "--new-branches-commit"},
     {"commit_after", "--new-branches-commit-after"},
     {"commit_max", "--new-branches-commit-max"}}};

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

// Empty, or what is wrong with it.
std::string trouble_with(const std::string& name, const std::string& value) {
  const auto is_number = [&](int least, int most) {
    return !value.empty() && value.size() <= 10 &&
           std::all_of(value.begin(), value.end(),
                       [&](char c) { return c >= '0' + least && c <= '0' + most; });
  };
  if ((name == "uid" || name == "gid") && !is_number(0, 9))
    return name + "=" + value + ": is no number";
  if (name == "umask" && !is_number(0, 7)) return name + "=" + value + ": is no octal number";
  if (name == "commit" && value != "auto" && value != "close" && value != "manual")
    return name + "=" + value + ": is auto, close or manual";
  if (value.empty()) return name + "= wants a value";
  return {};
}

// Empty, or what is wrong with it.
std::string take_option(const std::string& option, Request& request) {
  const auto equals = option.find('=');
  const std::string name = option.substr(0, equals);
  const std::string value = equals == std::string::npos ? "" : option.substr(equals + 1);
  if (name.empty() || is_swallowed(name)) return {};
  for (const auto& kernel : kKernelOptions) {
    if (name != kernel.name) continue;
    request.kernel_options.push_back(name);
    request.attributes.set = (request.attributes.set & ~kernel.clear) | kernel.set;
    request.attributes.clear = (request.attributes.clear & ~kernel.set) | kernel.clear;
    return {};
  }
  for (const auto& [ours, flag] : kDaemonOptions) {
    if (name != ours) continue;
    if (const auto trouble = trouble_with(name, value); !trouble.empty()) return trouble;
    request.for_daemon.push_back({name, std::string(flag), value});
    return {};
  }
  if (name == "store") {
    if (!value.starts_with('/')) return "store=" + value + ": is no absolute path";
    request.store = value;
  } else if (name == "allow_other") {
    request.allow_other = true;
  } else if (name == "remount") {
    request.remount = true;
  } else if (!request.sloppy) {
    return "unknown option " + name;
  }
  return {};
}

// Empty, or what is wrong with it.
std::string take_spec(Request& request) {
  const std::string& spec = request.spec;
  const auto colon = spec.find(':');
  const std::string ref = spec.substr(0, colon);
  if (spec == "pfs" || spec == "none") {
    request.bind = true;
  } else if (!spec.starts_with('/') && !spec.starts_with('.') &&
             ref.find('@') != std::string::npos) {
    if (ref.find('/') != std::string::npos)
      return spec + ": a directory of it is written " + ref.substr(0, ref.find('/')) + ":/DIR";
    const std::string below = colon == std::string::npos ? "/" : spec.substr(colon + 1);
    if (!below.starts_with('/')) return spec + ": a directory of it is written " + ref + ":/DIR";
    request.bind = true;
    request.part = ref + (below == "/" ? "" : below);
  } else {
    if (!request.store.empty() && request.store != spec)
      return "store=" + request.store + ": the store is " + spec + " already";
    request.store = spec;
  }
  return {};
}

}  // namespace

void complain(const std::string& trouble) {
  std::fprintf(stderr, "mount.pfs: %s\n", trouble.c_str());
}

std::optional<Request> parse(int argc, char** argv) {
  Request request;
  std::vector<std::string> words;
  std::vector<std::string> options;
  // SPEC and DIR come first from libmount; people write them anywhere
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    if (word == "-o" || word == "-t" || word == "-N") {
      if (++i == argc) return refuse(word + " wants a value");
      if (word == "-N") return refuse("-N: another mount namespace is not supported");
      if (word == "-o") {
        for (auto& option : split_options(argv[i])) options.push_back(std::move(option));
      }
    } else if (word.size() > 1 && word[0] == '-') {
      for (const char letter : word.substr(1)) {
        switch (letter) {
          case 'f': request.fake = true; break;
          case 'v': request.verbose = true; break;
          case 's': request.sloppy = true; break;
          case 'n': break;  // no mtab: there is none to write
          default: return refuse(std::string("unknown option -") + letter);
        }
      }
    } else {
      words.push_back(word);
    }
  }
  for (const auto& option : options) {
    if (const auto trouble = take_option(option, request); !trouble.empty()) return refuse(trouble);
  }
  if (words.size() != 2) return refuse("what to mount and a mount point are needed");
  request.spec = words[0];
  request.directory = words[1];
  if (request.remount) return request;  // whatever it is of
  if (const auto trouble = take_spec(request); !trouble.empty()) return refuse(trouble);
  return request;
}

}  // namespace pfs::mount_helper
