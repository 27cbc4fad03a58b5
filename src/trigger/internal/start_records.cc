#include "trigger/internal/start_records.h"

#include <boost/filesystem.hpp>

namespace pfs::trigger {

Result<void> StartRecords::put_own() const {
  const std::string path = path_ + "/" + own_;
  boost::system::error_code error;
  boost::filesystem::create_directories(path, error);
  if (error) return error_from_errno(error.value(), "make " + path);
  return {};
}

void StartRecords::remove(const std::string& start) const {
  boost::system::error_code ignored;  // one more start would look for containers that are not there
  boost::filesystem::remove(path_ + "/" + start, ignored);
}

std::vector<std::string> StartRecords::earlier() const {
  std::vector<std::string> starts;
  boost::system::error_code error;
  boost::filesystem::directory_iterator entry(path_, error);
  for (; !error && entry != boost::filesystem::directory_iterator(); entry.increment(error)) {
    std::string name = entry->path().filename().string();
    if (name != own_) starts.push_back(std::move(name));
  }
  return starts;
}

}  // namespace pfs::trigger
