#include "store/branch_trigger.h"

#include <array>
#include <charconv>
#include <cmath>
#include <vector>

#include <fmt/format.h>

#include "base/duration.h"

namespace pfs::store {

namespace {

struct SizeUnit {
  std::string_view name;
  std::uint64_t bytes;
};
constexpr std::array<SizeUnit, 13> kSizeUnits{{{"", 1},
                                               {"B", 1},
                                               {"K", 1'000},
                                               {"KB", 1'000},
                                               {"M", 1'000'000},
                                               {"MB", 1'000'000},
                                               {"G", 1'000'000'000},
                                               {"GB", 1'000'000'000},
                                               {"TB", 1'000'000'000'000},
                                               {"KI", 1ULL << 10U},
                                               {"MI", 1ULL << 20U},
                                               {"GI", 1ULL << 30U},
                                               {"TI", 1ULL << 40U}}};

struct CronField {
  std::string_view name;
  unsigned first;
  unsigned last;
  std::string_view names;  // three letters each, from `first` on
};
constexpr std::array<CronField, 5> kCronFields{{{"minute", 0, 59, ""},
                                                {"hour", 0, 23, ""},
                                                {"day of the month", 1, 31, ""},
                                                {"month", 1, 12, "janfebmaraprmayjunjulaugsepoctnovdec"},
                                                {"day of the week", 0, 7, "sunmontuewedthufrisat"}}};

std::string lowered(std::string_view text) {
  std::string lower(text);
  for (auto& letter : lower) {
    if (letter >= 'A' && letter <= 'Z') letter = static_cast<char>(letter - 'A' + 'a');
  }
  return lower;
}

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  for (;;) {
    const auto end = text.find(separator);
    parts.push_back(text.substr(0, end));
    if (end == std::string_view::npos) return parts;
    text.remove_prefix(end + 1);
  }
}

bool is_number(std::string_view text, unsigned& number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc{} && end == text.data() + text.size();
}

bool is_value(const CronField& field, std::string_view text, unsigned& value) {
  if (is_number(text, value)) return value >= field.first && value <= field.last;
  if (text.size() != 3) return false;
  for (std::size_t at = 0; at < field.names.size(); at += 3) {
    if (field.names.substr(at, 3) != text) continue;
    value = field.first + static_cast<unsigned>(at / 3);
    return true;
  }
  return false;
}

// `*`, `5`, `1-5`, each with `/2` behind it
bool is_range(const CronField& field, std::string_view text) {
  const auto step_parts = split(text, '/');
  unsigned step = 1;
  if (step_parts.size() > 2 || (step_parts.size() == 2 && (!is_number(step_parts[1], step) || step == 0))) return false;
  if (step_parts[0] == "*") return true;
  const auto ends = split(step_parts[0], '-');
  unsigned from = 0;
  unsigned to = 0;
  if (ends.size() > 2 || !is_value(field, ends[0], from)) return false;
  return ends.size() == 1 || (is_value(field, ends[1], to) && from <= to);
}

}  // namespace

Result<std::uint64_t> parse_size(std::string_view text) {
  const auto refused = [&] {
    return Error{Code::kInvalid, fmt::format("'{}': is no size; write it like 512, 10KB, 1.5MB or 1GiB", printable(text))};
  };
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number, std::chars_format::fixed);
  if (error != std::errc{} || !std::isfinite(number) || number < 0) return refused();
  auto unit = lowered(std::string_view(end, static_cast<std::size_t>(text.data() + text.size() - end)));
  if (unit.size() == 3 && unit.ends_with("ib")) unit.pop_back();
  for (const auto& known : kSizeUnits) {
    if (lowered(known.name) != unit) continue;
    const double bytes = number * static_cast<double>(known.bytes);
    if (bytes >= 9e18) return refused();
    return static_cast<std::uint64_t>(bytes);
  }
  return refused();
}

Result<void> check_cron(std::string_view text) {
  constexpr std::string_view kEvery = "@every ";
  if (text.starts_with(kEvery)) {
    PFS_TRY_ASSIGN(const auto length, parse_duration(text.substr(kEvery.size())));
    if (length.count() >= 1000) return {};
    return Error{Code::kInvalid, fmt::format("'{}': less than a second", printable(text))};
  }
  for (const auto* known : {"@yearly", "@annually", "@monthly", "@weekly", "@daily", "@midnight", "@hourly"}) {
    if (text == known) return {};
  }
  const auto lower = lowered(text);
  std::vector<std::string_view> fields;
  for (const auto part : split(lower, ' ')) {
    if (!part.empty()) fields.push_back(part);
  }
  if (fields.size() != kCronFields.size()) {
    return Error{Code::kInvalid,
                 fmt::format("'{}': is no schedule; write five fields (minute hour day month weekday), @daily, @hourly or @every 10m",
                             printable(text))};
  }
  for (std::size_t i = 0; i < fields.size(); ++i) {
    if (fields[i] == "?" && (i == 2 || i == 4)) continue;
    for (const auto range : split(fields[i], ',')) {
      if (is_range(kCronFields[i], range)) continue;
      return Error{Code::kInvalid, fmt::format("'{}': '{}' is no {}", printable(text), printable(range), kCronFields[i].name)};
    }
  }
  return {};
}

std::string BranchTrigger::str() const {
  std::string conditions;
  const auto add = [&](std::string_view condition) {
    if (!conditions.empty()) conditions += all ? " and " : " or ";
    conditions += condition;
  };
  if (!cron.empty()) add(fmt::format("Cron({})", cron));
  if (!size.empty()) add(fmt::format("Size({})", size));
  if (commits != 0) add(fmt::format("Commits({})", commits));
  return fmt::format("{} on {}", branch.str(), conditions);
}

Result<void> BranchTrigger::check() const {
  if (cron.empty() && size.empty() && commits == 0) {
    return Error{Code::kInvalid, fmt::format("trigger on {}: has no condition", branch.str())};
  }
  if (!cron.empty()) {
    if (auto checked = check_cron(cron); !checked) return std::move(checked).error().within("trigger-cron");
  }
  if (!size.empty()) {
    if (auto parsed = parse_size(size); !parsed) return std::move(parsed).error().within("trigger-size");
  }
  return {};
}

}  // namespace pfs::store
