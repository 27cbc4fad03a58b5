#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>

#include "base/clock.h"

namespace pfs::cli {

/// Four significant digits and a binary unit: `0B`, `57.27KiB`, `1.5GiB`.
std::string format_size(std::uint64_t bytes);

/// A length of time in words, as people say it: `Less than a second`, `3 minutes`, `About an hour`,
/// `2 weeks`.
std::string format_duration(std::chrono::nanoseconds duration);

/// The same to the millisecond, for what is mostly short: `0.012s`.
std::string format_seconds(std::chrono::nanoseconds duration);

/// How long ago: `3 minutes ago`. A time that has not come yet is a moment ago: clocks differ.
std::string format_ago(Timestamp time, Timestamp now);

/// A line, or as much of it as has room in so many columns, with "…" where the rest was. Shape: UTF-8; a character that may be
/// a wide one counts as two. 0 columns: nobody knows how many there are.
std::string cut_to_columns(const std::string& line, std::size_t columns);

/// RFC 3339, UTC, to the second: `2026-01-31T09:30:00Z`.
std::string format_time(Timestamp time);

}  // namespace pfs::cli
