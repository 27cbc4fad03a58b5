#pragma once

#include <chrono>
#include <random>

namespace pfs::trigger {

/// How often something that waits asks whether it is still wanted.
constexpr std::chrono::milliseconds kAskEvery{100};

/// How often a transaction is tried that loses a race against another change of the same record; races are rare and short.
constexpr int kTries = 8;

/// The same for one that many others write beside: one of all who do is through each time.
constexpr int kPatientTries = 100;

inline std::chrono::microseconds pause_before(int attempt) {
  thread_local std::mt19937 engine{std::random_device{}()};
  return std::chrono::microseconds(std::uniform_int_distribution<int>(100, 1000 * attempt)(engine));
}

}  // namespace pfs::trigger
