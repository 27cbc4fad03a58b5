#include "cli/local_walk.h"

#include <algorithm>
#include <cerrno>

#include <boost/filesystem/directory.hpp>

namespace pfs::cli {

namespace fs = boost::filesystem;

Result<LocalWalk> LocalWalk::begin(const std::string& directory) {
  LocalWalk walk;
  PFS_TRY(walk.descend(directory));
  PFS_TRY(walk.advance());
  return walk;
}

LocalWalk LocalWalk::nothing() {
  LocalWalk walk;
  walk.at_end_ = true;
  return walk;
}

Result<void> LocalWalk::next() {
  if (current_.is_directory()) PFS_TRY(descend(current_.path));
  return advance();
}

Result<void> LocalWalk::next_beside() { return advance(); }

Result<void> LocalWalk::descend(const std::string& path) {
  Level level{path, {}};
  boost::system::error_code error;
  fs::directory_iterator entries(path, error);
  while (!error && entries != fs::directory_iterator()) {
    level.names.push_back(entries->path().filename().native());
    entries.increment(error);
  }
  if (error) return error_from_errno(error.value(), path);
  std::sort(level.names.begin(), level.names.end(), std::greater<>());
  levels_.push_back(std::move(level));
  return {};
}

Result<void> LocalWalk::advance() {
  while (!levels_.empty()) {
    auto& level = levels_.back();
    if (level.names.empty()) {
      levels_.pop_back();
      continue;
    }
    current_.parts.resize(levels_.size() - 1);
    current_.parts.push_back(std::move(level.names.back()));
    level.names.pop_back();
    current_.path = level.path + "/" + current_.parts.back();
    if (lstat(current_.path.c_str(), &current_.found) == 0) return {};
    if (errno != ENOENT) return error_from_errno(errno, current_.path);  // else removed since
  }
  at_end_ = true;
  return {};
}

}  // namespace pfs::cli
