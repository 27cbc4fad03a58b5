#include "trigger/internal/quantity.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <optional>

#include <fmt/format.h>

#include "base/names.h"

namespace pfs::trigger {

namespace {

struct Unit {
  std::string_view name;
  double factor;
};

constexpr std::array<Unit, 16> kQuantityUnits{{{"", 1},
                                               {"n", 1e-9},
                                               {"u", 1e-6},
                                               {"m", 1e-3},
                                               {"k", 1e3},
                                               {"M", 1e6},
                                               {"G", 1e9},
                                               {"T", 1e12},
                                               {"P", 1e15},
                                               {"E", 1e18},
                                               {"Ki", 0x1p10},
                                               {"Mi", 0x1p20},
                                               {"Gi", 0x1p30},
                                               {"Ti", 0x1p40},
                                               {"Pi", 0x1p50},
                                               {"Ei", 0x1p60}}};
constexpr double kLargest = 9e18;

/// Takes a decimal number off the front of `text`.
std::optional<double> take_number(std::string_view& text, std::chars_format format) {
  if (text.empty() || text.front() == '-') return std::nullopt;
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number, format);
  if (error != std::errc{} || !std::isfinite(number)) return std::nullopt;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  return number;
}

template <std::size_t kCount>
std::optional<double> factor_of(std::string_view name, const std::array<Unit, kCount>& units) {
  const auto unit = std::find_if(units.begin(), units.end(), [&](const Unit& known) { return known.name == name; });
  return unit == units.end() ? std::nullopt : std::optional(unit->factor);
}

/// `bytes` in the largest of the units `base`, `base`^2, … in which it is whole.
std::string whole_in(std::uint64_t bytes, std::uint64_t base, std::string_view prefixes, std::string_view suffix) {
  std::size_t power = 0;
  for (; bytes != 0 && bytes % base == 0 && power < prefixes.size(); ++power) bytes /= base;
  return power == 0 ? std::to_string(bytes) : fmt::format("{}{}{}", bytes, prefixes[power - 1], suffix);
}

}  // namespace

Result<double> parse_quantity(std::string_view text) {
  const auto refused = [&] {
    return Error{Code::kInvalid,
                 fmt::format("'{}': is no amount; write it like 2, 500m, 64M or 1.5Gi", printable(text))};
  };
  std::string_view rest = text;
  // an exponent first: in `1e3` the e begins no unit, while in `1E` it is one
  std::string_view with_exponent = text;
  const auto exponential = take_number(with_exponent, std::chars_format::general);
  const bool has_exponent = exponential && with_exponent.empty();
  const auto number = has_exponent ? exponential : take_number(rest, std::chars_format::fixed);
  const auto factor = has_exponent ? std::optional(1.0) : factor_of(rest, kQuantityUnits);
  if (!number || !factor || *number * *factor > kLargest) return refused();
  return *number * *factor;
}

std::string format_quantity(std::uint64_t bytes) {
  const std::string binary = whole_in(bytes, 1024, "KMGTPE", "i");
  const std::string decimal = whole_in(bytes, 1000, "kMGTPE", "");
  return binary.size() < decimal.size() ? binary : decimal;
}

std::string format_go_duration(std::chrono::nanoseconds time) {
  constexpr std::int64_t kHour = 3'600'000'000'000;
  constexpr std::int64_t kMinute = 60'000'000'000;
  std::int64_t rest = time.count();
  std::string text;
  if (rest >= kHour) text += fmt::format("{}h", rest / kHour);
  rest %= kHour;
  if (rest >= kMinute) text += fmt::format("{}m", rest / kMinute);
  rest %= kMinute;
  if (rest == 0) return text.empty() ? "0s" : text;
  text += std::to_string(rest / 1'000'000'000);
  if (const std::int64_t fraction = rest % 1'000'000'000; fraction != 0) {
    std::string digits = fmt::format("{:09}", fraction);
    digits.erase(digits.find_last_not_of('0') + 1);
    text += "." + digits;
  }
  return text + "s";
}

}  // namespace pfs::trigger
