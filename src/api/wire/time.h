#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>

#include <google/protobuf/duration.pb.h>
#include <google/protobuf/timestamp.pb.h>

#include "base/clock.h"

namespace pfs::api {

inline void set_time(google::protobuf::Timestamp* out, Timestamp time) {
  out->set_seconds(time.seconds());
  out->set_nanos(static_cast<std::int32_t>(time.fraction()));
}

inline void set_duration(google::protobuf::Duration* out, std::chrono::nanoseconds duration) {
  const auto seconds = std::chrono::floor<std::chrono::seconds>(duration);
  out->set_seconds(seconds.count());
  out->set_nanos(static_cast<std::int32_t>((duration - seconds).count()));
}

/// As time_of().
inline std::chrono::nanoseconds duration_of(const google::protobuf::Duration& duration) {
  constexpr std::int64_t kMost = 9'223'372'034;
  const auto seconds = std::clamp<std::int64_t>(duration.seconds(), -kMost, kMost);
  return std::chrono::seconds(seconds) + std::chrono::nanoseconds(duration.nanos());
}

/// What is on the wire may be anything: a time that a Timestamp cannot hold is the nearest that it
/// can.
inline Timestamp time_of(const google::protobuf::Timestamp& time) {
  constexpr std::int64_t kMost = 9'223'372'034;  // seconds, so that any nanos go with them
  const auto seconds = std::clamp<std::int64_t>(time.seconds(), -kMost, kMost);
  return Timestamp{seconds * 1'000'000'000 + time.nanos()};
}

}  // namespace pfs::api
