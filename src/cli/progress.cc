#include "cli/progress.h"

#include <pthread.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>

#include <fmt/format.h>

#include "cli/format.h"

namespace pfs::cli {
namespace {

constexpr auto kEvery = std::chrono::milliseconds(200);
constexpr const char* kWipe = "\r\x1b[K";

}  // namespace

std::string progress_line(const std::string& what, std::uint64_t moved, std::uint64_t total,
                          std::chrono::nanoseconds elapsed) {
  const auto seconds = std::chrono::duration<double>(elapsed).count();
  const auto rate = seconds > 0 ? static_cast<double>(moved) / seconds : 0.0;
  auto line = fmt::format("{}  {}", what, format_size(moved));
  if (total > 0) line += " of " + format_size(total);
  line += fmt::format("  {}/s", format_size(static_cast<std::uint64_t>(rate)));
  if (total > moved && rate >= 1) {
    const auto left = static_cast<std::int64_t>(static_cast<double>(total - moved) / rate);
    line += "  " + format_duration(std::chrono::seconds(left)) + " left";
  }
  return line;
}

Progress::Progress(std::string what, bool wanted)
    : what_(std::move(what)), begin_(std::chrono::steady_clock::now()) {
  if (wanted && isatty(STDERR_FILENO) == 1) thread_ = std::thread([this] { run(); });
}

Progress::~Progress() {
  if (!thread_.joinable()) return;
  {
    Lock lock(mutex_);
    stopping_ = true;
  }
  stopped_.notify_all();
  thread_.join();
  if (drawn_) std::fputs(kWipe, stderr);
}

void Progress::run() {
  pthread_setname_np(pthread_self(), "pfs-progress");
  while (true) {
    {
      Lock lock(mutex_);
      if (!stopping_) stopped_.wait_for(mutex_, kEvery);
      if (stopping_) return;
    }
    const auto moved = moved_.load(std::memory_order_relaxed);
    const auto total = total_.load(std::memory_order_relaxed);
    const auto elapsed = std::chrono::steady_clock::now() - begin_;
    fmt::print(stderr, "{}{}", kWipe, progress_line(what_, moved, total, elapsed));
    std::fflush(stderr);
    drawn_ = true;
  }
}

}  // namespace pfs::cli
