#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/duration.h"
#include "base/result.h"

namespace pfs::trigger {

/// An amount as Kubernetes writes it: `64M`, `1.5Gi`, `500m`, `1e6`, `2`. Errors: kInvalid (no such form, negative,
/// over 9e18). Source: Kubernetes' resource quantities.
Result<double> parse_quantity(std::string_view text);

/// So many bytes in the shortest such form: `64M`, `1Gi`, `1001`.
std::string format_quantity(std::uint64_t bytes);

/// `1h30m`, `1.5s`, `0s`: always the same text for the same time.
std::string format_go_duration(std::chrono::nanoseconds time);

}  // namespace pfs::trigger
