#include "store/pack/work_pool.h"

#include <pthread.h>

#include <algorithm>
#include <string>
#include <utility>

#include "base/request_id.h"

namespace pfs::store {

WorkPool::WorkPool(unsigned threads) : size_(std::max(1U, threads)) {}

WorkPool::~WorkPool() {
  std::vector<std::thread> threads;
  {
    Lock lock(mutex_);
    ending_ = true;
    threads.swap(threads_);
    submitted_.notify_all();
  }
  for (auto& thread : threads) thread.join();
}

void WorkPool::submit(Turn turn, std::function<void()> task) {
  if (const auto request = current_request(); !request.empty()) {
    task = [request = std::string(request), task = std::move(task)] {
      const RequestScope scope(request);
      task();
    };
  }
  Lock lock(mutex_);
  if (threads_.empty()) start();
  (turn == Turn::kSoon ? soon_ : later_).push_back(std::move(task));
  submitted_.notify_one();
}

void WorkPool::start() {
  for (unsigned number = 0; number < size_; ++number) {
    threads_.emplace_back([this] { run(); });
    ::pthread_setname_np(threads_.back().native_handle(), ("pfs-work-" + std::to_string(number)).substr(0, 15).c_str());
  }
}

void WorkPool::run() {
  for (;;) {
    std::function<void()> task;
    {
      Lock lock(mutex_);
      while (soon_.empty() && later_.empty() && !ending_) submitted_.wait(mutex_);
      auto& queue = soon_.empty() ? later_ : soon_;
      if (queue.empty()) return;
      task = std::move(queue.front());
      queue.pop_front();
    }
    task();
  }
}

}  // namespace pfs::store
