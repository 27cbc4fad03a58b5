// What waits for the kernel to have taken a notification, and what becomes of it when nobody hands it over any more.
#include <catch2/catch.hpp>

#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstring>
#include <future>
#include <string>
#include <thread>
#include <vector>

#include "base/file.h"
#include "fs/fuse/notify_helper.h"
#include "fs/fuse/notify_queue.h"

using namespace pfs;
using namespace pfs::fs;
using namespace std::chrono_literals;

namespace {

constexpr auto kLong = 10s;

/// The helper's end of a queue's socket.
class Helper {
 public:
  Helper() {
    std::array<int, 2> ends{};
    REQUIRE(::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()) == 0);
    queue_end_ = UniqueFd(ends[0]);
    end_ = UniqueFd(ends[1]);
  }
  int for_queue() const { return queue_end_.get(); }
  /// The next notification; its number is kept for take().
  std::string receive() {
    std::array<char, 1024> packet{};
    const ssize_t size = ::recv(end_.get(), packet.data(), packet.size(), 0);
    REQUIRE(size >= static_cast<ssize_t>(sizeof(NotifyTicket)));
    NotifyTicket ticket;
    std::memcpy(&ticket, packet.data(), sizeof ticket);
    last_ = ticket.number;
    return {packet.data() + sizeof ticket, static_cast<std::size_t>(size) - sizeof ticket};
  }
  /// The kernel has taken the last one.
  void take() const {
    const NotifyDone done{last_, 0};
    REQUIRE(::send(end_.get(), &done, sizeof done, MSG_NOSIGNAL) == sizeof done);
  }
  void die() { end_.reset(); }

 private:
  UniqueFd queue_end_;
  UniqueFd end_;
  std::uint64_t last_ = 0;
};

void wait_for(const std::atomic<bool>& what) {
  const auto deadline = std::chrono::steady_clock::now() + kLong;
  while (!what && std::chrono::steady_clock::now() < deadline) std::this_thread::sleep_for(1ms);
  CHECK(what);
}

}  // namespace

TEST_CASE("who waits for a notification goes on once the kernel has taken it, or the time is over", "[fs][notify]") {
  Helper helper;
  NotifyQueue queue("test");
  queue.start(helper.for_queue());
  auto taken = std::async(std::launch::async, [&] { return queue.send_and_wait({"one"}, kLong); });
  CHECK(helper.receive() == "one");
  helper.take();
  CHECK(taken.get());
  CHECK_FALSE(queue.send_and_wait({"two"}, 10ms));
  CHECK(helper.receive() == "two");
}

TEST_CASE("the end of several notifications is told when the kernel has taken all of them", "[fs][notify]") {
  Helper helper;
  std::atomic<bool> done = false;
  NotifyQueue queue("test");
  queue.start(helper.for_queue());
  queue.send({"one", "two"}, [&] { done = true; });
  CHECK(helper.receive() == "one");
  helper.take();
  CHECK(helper.receive() == "two");
  CHECK_FALSE(done);
  helper.take();
  wait_for(done);
}

TEST_CASE("nobody waits for a helper that was killed", "[fs][notify]") {
  Helper helper;
  std::atomic<bool> done = false;
  NotifyQueue queue("test");
  queue.start(helper.for_queue());
  queue.send({"one"}, [&] { done = true; });
  auto taken = std::async(std::launch::async, [&] { return queue.send_and_wait({"two"}, kLong); });
  CHECK(helper.receive() == "one");
  CHECK(helper.receive() == "two");
  const auto begun = std::chrono::steady_clock::now();
  helper.die();
  CHECK_FALSE(taken.get());
  wait_for(done);
  // nor later
  std::atomic<bool> later = false;
  queue.send({"three"}, [&] { later = true; });
  CHECK(later);
  CHECK_FALSE(queue.send_and_wait({"four"}, kLong));
  CHECK(std::chrono::steady_clock::now() - begun < kLong / 2);
}

TEST_CASE("after its end a queue has nobody wait, and tells nobody", "[fs][notify]") {
  Helper helper;
  std::atomic<bool> done = false;
  NotifyQueue queue("test");
  queue.start(helper.for_queue());
  queue.send({"one"}, [&] { done = true; });
  CHECK(helper.receive() == "one");
  queue.stop();
  CHECK(queue.send_and_wait({"two"}, kLong));
  CHECK_FALSE(done);
}
