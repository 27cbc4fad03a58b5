#include "mount-helper/mounts.h"

#include <sys/mount.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <sstream>

#include "mount-helper/request.h"

namespace pfs::mount_helper {

namespace {

// \040 and the like. Source: proc(5), mountinfo.
std::string unescaped(const std::string& text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\' && i + 3 < text.size()) {
      out.push_back(static_cast<char>(std::stoi(text.substr(i + 1, 3), nullptr, 8)));
      i += 3;
    } else {
      out.push_back(text[i]);
    }
  }
  return out;
}

// The kernel writes blanks, tabs and newlines as \040 and the like, but no other white space: a name with a form feed in it is
// still one word.
std::vector<std::string> words_of(const std::string& line) {
  std::vector<std::string> words;
  std::istringstream all(line);
  for (std::string word; std::getline(all, word, ' ');) words.push_back(word);
  return words;
}

}  // namespace

std::vector<Mount> mounts() {
  std::vector<Mount> found;
  std::ifstream lines("/proc/self/mountinfo");
  for (std::string line; std::getline(lines, line);) {
    // id, parent, device, root, point, options, some more, a hyphen; then type, source, options
    const auto words = words_of(line);
    const auto hyphen = std::find(words.begin() + std::min<std::ptrdiff_t>(6, std::ssize(words)), words.end(), "-");
    if (words.end() - hyphen < 4 || hyphen[1] != "fuse.pfs") continue;
    Mount mount;
    // the kernel's own word: nobody mounts in another's name without being root
    mount.trusted = ("," + hyphen[3] + ",").find(",user_id=" + std::to_string(geteuid()) + ",") != std::string::npos;
    mount.root = unescaped(words[3]);
    mount.point = unescaped(words[4]);
    mount.source = unescaped(hyphen[2]);
    found.push_back(mount);
  }
  return found;
}

// libmount hands on the path as the kernel lists it; a dead one could not be resolved.
std::optional<Mount> mount_at(const std::string& directory) {
  std::optional<Mount> uppermost;
  for (auto& mount : mounts()) {
    if (mount.point == directory) uppermost = mount;
  }
  return uppermost;
}

// The kernel says so from the moment the daemon's last descriptor is closed, but goes on to answer
// stat(2) from what it has cached; statfs(2) is never cached. Source: fuse_get_req() in
// fs/fuse/dev.c.
bool is_dead(const std::string& directory) {
  struct statvfs about {};
  return statvfs(directory.c_str(), &about) != 0 && (errno == ENOTCONN || errno == ECONNABORTED);
}

bool clear_dead(const std::string& directory) {
  while (mount_at(directory) && is_dead(directory)) {
    if (geteuid() != 0) return true;  // pfsd has fusermount3 do it
    umount2(directory.c_str(),
            MNT_FORCE | UMOUNT_NOFOLLOW);  // ends what waits for the daemon in vain
    if (mount_at(directory) && umount2(directory.c_str(), MNT_DETACH | UMOUNT_NOFOLLOW) != 0) {
      complain(directory + ": the mount of a daemon that has ended cannot be taken away: " +
               std::strerror(errno));
      return false;
    }
  }
  return true;
}

}  // namespace pfs::mount_helper
