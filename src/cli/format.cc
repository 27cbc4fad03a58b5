#include "cli/format.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <ctime>

#include <fmt/format.h>

namespace pfs::cli {

std::string format_size(std::uint64_t bytes) {
  constexpr std::array kUnits = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
  auto value = static_cast<double>(bytes);
  std::size_t unit = 0;
  while (value >= 1024 && unit + 1 < kUnits.size()) {
    value /= 1024;
    ++unit;
  }
  return fmt::format("{:.4g}{}", value, kUnits[unit]);
}

std::string format_duration(std::chrono::nanoseconds duration) {
  using std::chrono::duration_cast;
  const auto seconds = duration_cast<std::chrono::seconds>(duration).count();
  if (seconds < 1) return "Less than a second";
  if (seconds == 1) return "1 second";
  if (seconds < 60) return fmt::format("{} seconds", seconds);
  const auto minutes = seconds / 60;
  if (minutes == 1) return "About a minute";
  if (minutes < 60) return fmt::format("{} minutes", minutes);
  const auto hours = std::lround(static_cast<double>(seconds) / 3600);
  if (hours == 1) return "About an hour";
  if (hours < 48) return fmt::format("{} hours", hours);
  if (hours < 24 * 14) return fmt::format("{} days", hours / 24);
  if (hours < 24 * 60) return fmt::format("{} weeks", hours / 24 / 7);
  if (hours < 24 * 365 * 2) return fmt::format("{} months", hours / 24 / 30);
  return fmt::format("{} years", hours / 24 / 365);
}

std::string format_seconds(std::chrono::nanoseconds duration) {
  return fmt::format("{:.3f}s", std::chrono::duration<double>(duration).count());
}

std::string format_ago(Timestamp time, Timestamp now) {
  const auto passed =
      std::chrono::nanoseconds(std::max<std::int64_t>(now.nanoseconds - time.nanoseconds, 0));
  return format_duration(passed) + " ago";
}

std::string cut_to_columns(const std::string& line, std::size_t columns) {
  if (columns == 0) return line;
  std::size_t kept = 0;  // bytes that leave a column for the mark
  std::size_t wide = 0;
  for (std::size_t i = 0; i < line.size();) {
    const auto lead = static_cast<unsigned char>(line[i]);
    const std::size_t length = lead < 0xC0 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
    wide += length < 3 || i + length > line.size() ? 1 : 2;  // no wide character is shorter
    if (wide > columns) return line.substr(0, kept) + "…";
    i = std::min(i + length, line.size());
    if (wide < columns) kept = i;
  }
  return line;
}

std::string format_time(Timestamp time) {
  const std::time_t seconds = time.seconds();
  std::tm parts{};
  gmtime_r(&seconds, &parts);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z", parts.tm_year + 1900, parts.tm_mon + 1,
                     parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec);
}

}  // namespace pfs::cli
