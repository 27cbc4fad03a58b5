#include "base/shared_sync.h"

#include <utility>

namespace pfs {

Result<void> SharedSync::run(const std::function<Result<void>()>& sync) {
  mutex_.lock();
  const std::uint64_t mine = ++calls_;
  while (served_ < mine && !failure_) {
    if (syncing_) {
      synced_.wait(mutex_);
      continue;
    }
    syncing_ = true;
    const std::uint64_t serves = calls_;
    mutex_.unlock();
    auto outcome = sync();
    mutex_.lock();
    syncing_ = false;
    if (outcome) {
      served_ = serves;
    } else {
      failure_ = std::move(outcome).error();
    }
    synced_.notify_all();
  }
  const Result<void> result = served_ >= mine ? Result<void>() : Result<void>(*failure_);
  mutex_.unlock();
  return result;
}

std::optional<Error> SharedSync::failure() const {
  Lock lock(mutex_);
  return failure_;
}

void SharedSync::forget_failure() {
  Lock lock(mutex_);
  failure_.reset();
}

}  // namespace pfs
