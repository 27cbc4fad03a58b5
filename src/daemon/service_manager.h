#pragma once

#include <string>

namespace pfs::daemon {

/// systemd, where it has started us as `Type=notify` and listens for how far we are; nobody
/// otherwise.
class ServiceManager {
 public:
  /// Takes its address out of the environment, so that containers that we start do not speak for
  /// us: before the first thread.
  ServiceManager();
  /// Lines of `NAME=value`. Nothing depends on them, so what cannot be sent is no error. Source:
  /// sd_notify(3), "Notes".
  void tell(const std::string& state) const;

 private:
  std::string address_;
};

}  // namespace pfs::daemon
