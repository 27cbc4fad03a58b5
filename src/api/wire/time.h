#pragma once

#include <google/protobuf/timestamp.pb.h>

#include "base/clock.h"

namespace pfs::api {

inline void set_time(google::protobuf::Timestamp* out, Timestamp time) {
  out->set_seconds(time.seconds());
  out->set_nanos(static_cast<std::int32_t>(time.fraction()));
}

inline Timestamp time_of(const google::protobuf::Timestamp& time) {
  return Timestamp{time.seconds() * 1'000'000'000 + time.nanos()};
}

}  // namespace pfs::api
