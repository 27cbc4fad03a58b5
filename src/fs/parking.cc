#include "fs/parking.h"

#include <pthread.h>

#include <algorithm>
#include <exception>
#include <utility>

#include <spdlog/spdlog.h>

namespace pfs::fs {

Parking::Parking(unsigned threads) {
  threads_.reserve(threads);
  for (unsigned i = 0; i < threads; ++i) {
    threads_.emplace_back([this] { run(); });
    pthread_setname_np(threads_.back().native_handle(), "pfs-parked");
  }
}

Parking::~Parking() {
  {
    Lock lock(mutex_);
    stopping_ = true;
    changed_.notify_all();
  }
  for (auto& thread : threads_) thread.join();
}

void Parking::post(std::function<void()> work) {
  Lock lock(mutex_);
  queue_.push_back(std::move(work));
  changed_.notify_all();
}

void Parking::drain() {
  Lock lock(mutex_);
  while (!queue_.empty() || running_ > 0) changed_.wait(mutex_);
}

bool Parking::is_running_us() const {
  return std::any_of(threads_.begin(), threads_.end(), [](const std::thread& thread) {
    return thread.get_id() == std::this_thread::get_id();
  });
}

void Parking::run() {
  while (true) {
    std::function<void()> work;
    {
      Lock lock(mutex_);
      while (queue_.empty() && !stopping_) changed_.wait(mutex_);
      if (queue_.empty()) return;
      work = std::move(queue_.front());
      queue_.pop_front();
      ++running_;
    }
    try {
      work();
    } catch (const std::exception& e) {
      spdlog::error("a parked request ended with an exception: {}", e.what());
    }
    work =
        nullptr;  // what it holds answers the kernel at the latest here, before it counts as done
    Lock lock(mutex_);
    --running_;
    changed_.notify_all();
  }
}

}  // namespace pfs::fs
