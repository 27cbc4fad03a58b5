#pragma once

#include <string>

namespace pfs::test {

// Paths as models of a tree write them: `/a/b`, and `/` for the top.
inline std::string parent_of(const std::string& path) {
  const auto slash = path.rfind('/');
  return slash == 0 ? "/" : path.substr(0, slash);
}

inline std::string name_of(const std::string& path) { return path.substr(path.rfind('/') + 1); }
inline std::string join(const std::string& directory, const std::string& name) { return (directory == "/" ? "" : directory) + "/" + name; }
inline bool is_below(const std::string& path, const std::string& directory) { return path.rfind(directory + "/", 0) == 0; }

}  // namespace pfs::test
