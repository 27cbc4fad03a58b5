// Usage: crime NAME: does what the sanitizer of that name must stop.

#include <cstdio>
#include <limits>
#include <memory>
#include <mutex>
#include <string_view>
#include <thread>

namespace {

int use_after_free() {
  auto owner = std::make_unique<int>(1);
  const int* volatile dangling = owner.get();  // volatile: the compiler must not see through it and warn
  owner.reset();
  return *dangling;
}

int overflow(int more) { return std::numeric_limits<int>::max() + more; }

int race() {
  int shared = 0;
  std::thread other([&] { ++shared; });
  ++shared;
  other.join();
  return shared;
}

int lock_order() {
  std::mutex first;
  std::mutex second;
  std::thread forth([&] {
    std::lock_guard outer(first);
    std::lock_guard inner(second);
  });
  forth.join();
  std::thread back([&] {
    std::lock_guard outer(second);
    std::lock_guard inner(first);
  });
  back.join();
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  const std::string_view name = argc > 1 ? argv[1] : "";
  int result = 0;
  if (name == "use_after_free") {
    result = use_after_free();
  } else if (name == "overflow") {
    result = overflow(argc);
  } else if (name == "race") {
    result = race();
  } else if (name == "lock_order") {
    result = lock_order();
  }
  std::printf("not caught (%d)\n", result);
  return 0;
}
