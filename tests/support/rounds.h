#pragma once

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <random>

namespace pfs::test {

/// How many rounds a random test goes: `soak` with PFS_SOAK in the environment, else `usual`; fewer where tsan makes each of
/// them ten times as slow.
inline int rounds(int usual, int soak) {
  if (std::getenv("PFS_SOAK") != nullptr) return soak;
#ifdef __SANITIZE_THREAD__
  return std::max(1, usual / 3);
#else
  return usual;
#endif
}

/// The seed that PFS_SEED fixes, to play a failure again, or a new one.
inline std::uint64_t seed_of_run() {
  const char* fixed = std::getenv("PFS_SEED");
  return fixed != nullptr ? std::strtoull(fixed, nullptr, 10) : std::random_device{}();
}

}  // namespace pfs::test
