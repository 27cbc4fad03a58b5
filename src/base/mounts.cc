#include "base/mounts.h"

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <iterator>
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

// The kernel writes blanks, tabs and newlines as \040 and the like, but no other white space: a name with a form feed in it is
// still one word.
std::vector<std::string> words_of(const std::string& line) {
  std::vector<std::string> words;
  std::istringstream all(line);
  for (std::string word; std::getline(all, word, ' ');) words.push_back(word);
  return words;
}

}  // namespace

std::vector<MountPoint> mount_points() {
  std::vector<MountPoint> found;
  std::ifstream lines("/proc/self/mountinfo");
  for (std::string line; std::getline(lines, line);) {
    // id, parent, device, root, point, options, some more, a hyphen; then type, source, options
    const auto words = words_of(line);
    const auto hyphen = std::find(words.begin() + std::min<std::ptrdiff_t>(6, std::ssize(words)), words.end(), "-");
    if (words.end() - hyphen < 3) continue;
    MountPoint mount;
    mount.minor = static_cast<std::uint32_t>(std::strtoul(words[2].substr(words[2].find(':') + 1).c_str(), nullptr, 10));
    mount.root = unescaped(words[3]);
    mount.point = unescaped(words[4]);
    mount.type = hyphen[1];
    mount.source = unescaped(hyphen[2]);
    found.push_back(std::move(mount));
  }
  return found;
}

}  // namespace pfs
