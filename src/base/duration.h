#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "base/result.h"

namespace pfs {

/// A length of time as people write it: `5s`, `500ms`, `2m`, `1h`, `7d`; a number alone is seconds. Errors: kInvalid (no
/// such form; over ten years).
Result<std::chrono::milliseconds> parse_duration(std::string_view text);

/// The same form, in the largest unit that it is whole in: `90s`, `2m`, `0s`.
std::string format_short_duration(std::chrono::milliseconds duration);

}  // namespace pfs
