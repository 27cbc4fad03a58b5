#include "store/repo/admission.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "base/file.h"

namespace pfs::store {

namespace {

constexpr std::uint64_t kMebi = std::uint64_t{1} << 20U;
constexpr std::uint64_t kUsualBallast = 256 * kMebi;
constexpr std::uint64_t kLeastBallast = 8 * kMebi;
constexpr std::uint64_t kPlenty = 64 * kMebi;
constexpr auto kFresh = std::chrono::milliseconds(100);
constexpr auto kLeastInterval = std::chrono::milliseconds(5);
// What a write costs beside its bytes: a record's header, a row.
constexpr std::uint64_t kOverhead = 512;

std::uint64_t with_margin(std::uint64_t staged) { return staged + staged / 50; }

}  // namespace

Result<std::unique_ptr<Admission>> Admission::open(const Options& options) {
  std::unique_ptr<Admission> admission(new Admission(options));
  struct statvfs info {};
  if (::statvfs(options.directory.c_str(), &info) != 0) return error_from_errno(errno, "statvfs " + options.directory);
  auto& ballast = admission->options_.ballast_bytes;
  const std::uint64_t total = info.f_blocks * info.f_frsize;
  if (ballast == 0) ballast = std::clamp(total / 64, std::min(kLeastBallast, total / 8), kUsualBallast);
  {
    Lock lock(admission->mutex_);
    struct stat file {};
    admission->held_ = ::stat(admission->path_.c_str(), &file) == 0 && static_cast<std::uint64_t>(file.st_blocks) * 512 >= ballast;
  }
  if (admission->free_bytes() < ballast) admission->give_up_ballast();
  admission->restore_ballast(0);
  return admission;
}

std::uint64_t Admission::free_bytes() const {
  struct statvfs info {};
  if (::statvfs(options_.directory.c_str(), &info) != 0) return 0;
  return info.f_bavail * info.f_frsize;
}

void Admission::ask_locked(std::uint64_t staged) {
  restore_locked(staged);
  const std::uint64_t needed = with_margin(staged) + (held_ ? 0 : options_.ballast_bytes);
  const std::uint64_t free = free_bytes();
  budget_ = free > needed ? free - needed : 0;
  spent_ = 0;
  asked_ = std::chrono::steady_clock::now();
}

Result<void> Admission::admit(std::uint64_t bytes, const std::function<std::uint64_t()>& staged) {
  const std::uint64_t cost = bytes + with_margin(bytes) + kOverhead;
  bool ask = false;
  {
    Lock lock(mutex_);
    const auto age = std::chrono::steady_clock::now() - asked_;
    ask = age > kFresh || (spent_ + cost > budget_ / 2 && age > kLeastInterval);
  }
  const std::uint64_t staged_now = ask ? staged() : 0;  // takes locks of its own
  Lock lock(mutex_);
  if (ask) ask_locked(staged_now);
  if (spent_ + cost > budget_) {
    return Error{Code::kNoSpace, fmt::format("{}: {} bytes more could not be committed on this disk; make room on it, or finish the "
                                             "open commits", options_.directory, bytes)};
  }
  spent_ += cost;
  return {};
}

bool Admission::plenty(std::uint64_t staged) const {
  return free_bytes() >= 2 * with_margin(staged) + 2 * options_.ballast_bytes + kPlenty;
}

bool Admission::give_up_ballast() {
  Lock lock(mutex_);
  const bool had = ::unlink(path_.c_str()) == 0;
  if (had) spdlog::warn("{}: the disk is full; the ballast is given up", options_.directory);
  held_ = false;
  asked_ = {};
  return had;
}

void Admission::ask_again() {
  Lock lock(mutex_);
  asked_ = {};
}

void Admission::restore_ballast(std::uint64_t staged) {
  Lock lock(mutex_);
  restore_locked(staged);
}

void Admission::restore_locked(std::uint64_t staged) {
  if (held_ || free_bytes() < with_margin(staged) + 2 * options_.ballast_bytes) return;
  const auto file = File::open(path_, O_RDWR | O_CREAT);
  if (!file) return;
  if (::posix_fallocate(file->fd(), 0, static_cast<off_t>(options_.ballast_bytes)) != 0) {
    ::unlink(path_.c_str());
    return;
  }
  held_ = true;
}

}  // namespace pfs::store
