#pragma once

#include <chrono>
#include <cstdint>

namespace pfs {

/// Wall-clock time in nanoseconds since 1970-01-01T00:00:00Z; what files and commits are stamped with.
struct Timestamp {
  std::int64_t nanoseconds = 0;

  auto operator<=>(const Timestamp&) const = default;
  std::int64_t seconds() const {
    // floor, so that a time before 1970 keeps a positive fraction, as timespec wants it
    return nanoseconds >= 0 ? nanoseconds / 1'000'000'000 : -((-nanoseconds + 999'999'999) / 1'000'000'000);
  }
  std::uint32_t fraction() const { return static_cast<std::uint32_t>(nanoseconds - seconds() * 1'000'000'000); }
};

/// Where time comes from; tests bring their own.
///
/// Thread-safe.
class Clock {
 public:
  virtual ~Clock() = default;
  virtual Timestamp now() const = 0;
  /// Time that only moves forward, for waiting and for ages.
  virtual std::chrono::steady_clock::time_point steady() const = 0;
};

class SystemClock final : public Clock {
 public:
  Timestamp now() const override;
  std::chrono::steady_clock::time_point steady() const override { return std::chrono::steady_clock::now(); }
};

}  // namespace pfs
