#include "base/duration.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
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

struct GoUnit {
  std::string_view name;
  double nanoseconds;
};
constexpr std::array<GoUnit, 8> kGoUnits{
    {{"ns", 1}, {"us", 1e3}, {"µs", 1e3}, {"μs", 1e3}, {"ms", 1e6}, {"s", 1e9}, {"m", 60e9}, {"h", 3600e9}}};

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

Result<std::chrono::nanoseconds> parse_go_duration(std::string_view text) {
  const auto refused = [&] {
    return Error{Code::kInvalid,
                 fmt::format("'{}': is no length of time; write it like 500ms, 30s, 10m or 1h30m", printable(text))};
  };
  if (text == "0") return std::chrono::nanoseconds(0);
  if (text.empty()) return refused();
  double total = 0;
  for (std::string_view rest = text; !rest.empty();) {
    double number = 0;
    const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), number, std::chars_format::fixed);
    if (error != std::errc{} || rest.front() == '-' || !std::isfinite(number)) return refused();
    rest.remove_prefix(static_cast<std::size_t>(end - rest.data()));
    const std::string_view name = rest.substr(0, rest.find_first_of("0123456789."));
    const auto* const unit = std::find_if(kGoUnits.begin(), kGoUnits.end(), [&](const GoUnit& known) { return known.name == name; });
    if (unit == kGoUnits.end()) return refused();
    total += number * unit->nanoseconds;
    rest.remove_prefix(name.size());
  }
  if (total > static_cast<double>(kLongest) * 1e6) return refused();
  return std::chrono::nanoseconds(std::llround(total));
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
