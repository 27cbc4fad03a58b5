#include "base/duration.h"

#include <array>
#include <charconv>
#include <cstdint>

#include <fmt/format.h>

#include "base/error.h"
#include "base/names.h"

namespace pfs {

namespace {

struct Unit {
  std::string_view name;
  std::uint64_t milliseconds;
};
constexpr std::array<Unit, 5> kUnits{{{"d", 86'400'000}, {"h", 3'600'000}, {"m", 60'000}, {"s", 1000}, {"ms", 1}}};
constexpr std::uint64_t kLongest = std::uint64_t{3653} * 86'400'000;  // ten years

}  // namespace

Result<std::chrono::milliseconds> parse_duration(std::string_view text) {
  const auto refused = [&] {
    return Error{Code::kInvalid, fmt::format("'{}': is no length of time; write it like 500ms, 5s, 2m or 1h", printable(text))};
  };
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{}) return refused();
  const std::string_view name(end, static_cast<std::size_t>(text.data() + text.size() - end));
  for (const auto& unit : kUnits) {
    if (name != unit.name && !(name.empty() && unit.name == "s")) continue;
    if (number > kLongest / unit.milliseconds) return refused();
    return std::chrono::milliseconds(number * unit.milliseconds);
  }
  return refused();
}

std::string format_short_duration(std::chrono::milliseconds duration) {
  const auto count = static_cast<std::uint64_t>(duration.count());
  if (count == 0) return "0s";
  for (const auto& unit : kUnits) {
    if (count % unit.milliseconds == 0) return fmt::format("{}{}", count / unit.milliseconds, unit.name);
  }
  return fmt::format("{}ms", count);
}

}  // namespace pfs
