#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "base/result.h"

namespace pfs {

/// A length of time as people write it: `5s`, `500ms`, `2m`, `1h`, `7d`; a number alone is seconds. Errors: kInvalid (no
/// such form; over ten years).
Result<std::chrono::milliseconds> parse_duration(std::string_view text);

/// As Go writes it: a sum of decimal numbers with units from ns to h, `1h30m` or `1.5h`. Errors: kInvalid (no such form; over ten years).
/// Source: https://pkg.go.dev/time#ParseDuration
Result<std::chrono::nanoseconds> parse_go_duration(std::string_view text);

/// The form of parse_duration(), in the largest unit that it is whole in: `90s`, `2m`, `0s`.
std::string format_short_duration(std::chrono::milliseconds duration);

}  // namespace pfs
