#include "base/bug.h"

#include <cstdlib>

#include <spdlog/spdlog.h>

namespace pfs {

Error bug(const char* file, int line, std::string message) {
  spdlog::critical("bug at {}:{}: {}", file, line, message);
#ifndef NDEBUG
  std::abort();
#endif
  return Error{Code::kInternal, std::move(message)};
}

}  // namespace pfs
