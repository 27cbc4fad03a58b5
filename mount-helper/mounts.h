#pragma once

#include <optional>
#include <string>
#include <vector>

namespace pfs::mount_helper {

/// A mount of pfs, as the kernel lists it.
struct Mount {
  std::string root;  ///< what of the file system is mounted: `/` is all of it
  std::string point;
  std::string source;  ///< `pfs#` and the store's id; and a colon and more, of a part with a session of its own
  bool trusted = true;  ///< served by our user: no other is believed what store it has, or asked for parts

  bool is_whole() const { return root == "/" && source.find(':') == std::string::npos; }
};

/// All mounts of pfs, later ones last. Source: proc(5), mountinfo.
std::vector<Mount> mounts();
/// The uppermost one at `directory`, without touching it.
std::optional<Mount> mount_at(const std::string& directory);

/// Whether what is mounted at `directory` has lost its daemon.
bool is_dead(const std::string& directory);

/// Takes dead mounts of pfs away from `directory`. Returns false, and has complained, when one
/// stays.
bool clear_dead(const std::string& directory);

}  // namespace pfs::mount_helper
