#pragma once

#include <string>
#include <string_view>

namespace pfs {

/// The id of the call that this thread answers, or works for, for log lines and for whoever asks
/// about them; empty between calls. A thread's own, so that lines of all rooms carry it.
std::string_view current_request();
void set_current_request(std::string id);

/// This thread works for a call while it lives: what a pool's thread has around a task of another's.
class RequestScope {
 public:
  explicit RequestScope(std::string id);
  ~RequestScope();
  RequestScope(const RequestScope&) = delete;
  RequestScope& operator=(const RequestScope&) = delete;

 private:
  std::string before_;
};

}  // namespace pfs
