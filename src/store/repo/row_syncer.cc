#include "store/repo/row_syncer.h"

#include <pthread.h>

namespace pfs::store {

RowSyncer::RowSyncer(LocalDb& local) : local_(local), thread_([this] { run(); }) {}

RowSyncer::~RowSyncer() {
  {
    Lock lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

std::uint64_t RowSyncer::begin() {
  std::uint64_t mine = 0;
  {
    Lock lock(mutex_);
    mine = ++asked_;
  }
  changed_.notify_all();
  return mine;
}

Result<void> RowSyncer::wait(std::uint64_t asked) {
  Lock lock(mutex_);
  while (done_ < asked) changed_.wait(mutex_);
  return outcome_;
}

void RowSyncer::run() {
  pthread_setname_np(pthread_self(), "pfs-row-sync");
  for (;;) {
    std::uint64_t serves = 0;
    {
      Lock lock(mutex_);
      while (asked_ == done_ && !stopping_) changed_.wait(mutex_);
      if (asked_ == done_) return;
      serves = asked_;
    }
    auto outcome = local_.sync();
    {
      Lock lock(mutex_);
      outcome_ = std::move(outcome);
      done_ = serves;
    }
    changed_.notify_all();
  }
}

}  // namespace pfs::store
