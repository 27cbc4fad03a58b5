#pragma once

#include <stdlib.h>

#include <stdexcept>
#include <string>

#include <boost/filesystem.hpp>

namespace pfs::test {

/// A directory of a test's own, removed with everything in it at the end unless it is kept. On $TMPDIR or /tmp.
class TemporaryDirectory {
 public:
  TemporaryDirectory() {
    const char* base = ::getenv("TMPDIR");
    path_ = std::string(base == nullptr ? "/tmp" : base) + "/pfs-test-XXXXXX";
    if (::mkdtemp(path_.data()) == nullptr) throw std::runtime_error("no temporary directory at " + path_);
  }
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
  ~TemporaryDirectory() {
    if (kept_) return;
    boost::system::error_code ignored;  // nothing to do about it, and a destructor must not throw
    boost::filesystem::remove_all(path_, ignored);
  }

  /// Leaves it where it is: a failure that is to be looked at.
  void keep() { kept_ = true; }

  const std::string& path() const { return path_; }
  /// A path in it.
  std::string operator/(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
  bool kept_ = false;
};

}  // namespace pfs::test
