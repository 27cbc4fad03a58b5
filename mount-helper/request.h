#pragma once

#include <optional>
#include <string>
#include <vector>

namespace pfs::mount_helper {

// Source: mount(8), "Exit status".
inline constexpr int kUsage = 1;
inline constexpr int kSystem = 2;
inline constexpr int kInterrupted = 8;
inline constexpr int kFailed = 32;

/// Flags of mount(2) that were asked for, each on or off. Source: mount_setattr(2).
struct Attributes {
  unsigned long long set = 0;
  unsigned long long clear = 0;
};

/// An option that is a flag of the pfsd that is started.
struct DaemonOption {
  std::string name;
  std::string flag;
  std::string value;
};

/// What mount(8) has asked for.
struct Request {
  std::string spec;
  std::string directory;

  // what `spec` and `store=` mean
  std::string store;  ///< empty: that of the daemon that runs
  bool bind = false;  ///< a part of a mounted store, or all of it, at another place
  std::string part;   ///< below the store's top: `data@master/dir`; empty: all of it

  std::vector<DaemonOption> for_daemon;
  std::vector<std::string> kernel_options;  ///< `ro` and the like, as they were given
  Attributes attributes;                    ///< the same
  bool allow_other = false;
  bool remount = false;
  bool fake = false;
  bool verbose = false;
  bool sloppy = false;
};

/// Takes `SPEC DIR [-sfnv] [-o options] [-t type] [-N namespace]` in any order. Nothing: it has
/// been complained about on stderr, and the status is kUsage. Source: mount(8), "External helpers".
std::optional<Request> parse(int argc, char** argv);

/// Writes a line to stderr.
void complain(const std::string& trouble);

}  // namespace pfs::mount_helper
