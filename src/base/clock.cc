#include "base/clock.h"

#include <ctime>

namespace pfs {

Timestamp SystemClock::now() const {
  timespec time{};
  ::clock_gettime(CLOCK_REALTIME, &time);
  return Timestamp{static_cast<std::int64_t>(time.tv_sec) * 1'000'000'000 + time.tv_nsec};
}

}  // namespace pfs
