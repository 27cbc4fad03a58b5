#pragma once

#include <string>
#include <utility>
#include <vector>

#include "base/ids.h"
#include "base/result.h"

namespace pfs::trigger {

/// Of every container: the id of the start of pfsd that had it made.
inline constexpr const char* kStartLabel = "pfs.start";

/// Which starts of pfsd may have left containers: a directory for each, called as the start's id. It is there before the first
/// container is asked for, and goes when none is there and none can come any more.
///
/// Thread-safe; of one store there is one pfsd at a time.
class StartRecords {
 public:
  explicit StartRecords(std::string path) : path_(std::move(path)), own_(new_commit_id().hex()) {}

  /// This start's id, drawn at random.
  const std::string& own() const { return own_; }
  /// The words that give a container its label.
  std::vector<std::string> own_label() const { return {"--label", label_of(own_)}; }
  static std::string label_of(const std::string& start) { return std::string(kStartLabel) + "=" + start; }
  /// How the names of its containers end: all that is known of one that is not podman's yet, or not any more.
  static std::string suffix_of(const std::string& start) { return "-" + start.substr(0, 12); }

  Result<void> put_own() const;
  /// One that is not there is no error.
  void remove(const std::string& start) const;
  /// Those of other starts than this one.
  std::vector<std::string> earlier() const;

 private:
  const std::string path_;
  const std::string own_;
};

}  // namespace pfs::trigger
