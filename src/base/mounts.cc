#include "base/mounts.h"

#include <cstdlib>
#include <fstream>
#include <sstream>

namespace pfs {

namespace {

// \040 and the like.
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

}  // namespace

std::vector<MountPoint> mount_points() {
  std::vector<MountPoint> found;
  std::ifstream lines("/proc/self/mountinfo");
  for (std::string line; std::getline(lines, line);) {
    std::istringstream fields(line);
    std::string id, parent, device, field;
    MountPoint mount;
    fields >> id >> parent >> device >> mount.root >> mount.point;
    while (fields >> field && field != "-") {
    }
    fields >> mount.type >> mount.source;
    mount.minor = static_cast<std::uint32_t>(std::strtoul(device.substr(device.find(':') + 1).c_str(), nullptr, 10));
    mount.root = unescaped(mount.root);
    mount.point = unescaped(mount.point);
    mount.source = unescaped(mount.source);
    found.push_back(std::move(mount));
  }
  return found;
}

}  // namespace pfs
