#pragma once

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <random>
#include <string>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace pfs::test {

/// Feeds the fuzz target good records with up to three bytes changed, added or cut off behind; the first byte of an input says which
/// record it is. More rounds with PFS_SOAK in the environment.
inline void feed_damaged(const std::vector<std::string>& records, int usual_rounds, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  const int rounds = std::getenv("PFS_SOAK") != nullptr ? 20'000'000 : usual_rounds;
  for (int round = 0; round < rounds; ++round) {
    const auto kind = random() % records.size();
    std::string input(1, static_cast<char>(kind));
    input += records[kind];
    for (auto changes = random() % 4; changes > 0; --changes) {
      const auto at = 1 + random() % (input.size() - 1);
      switch (random() % 4) {
        case 0: input[at] = static_cast<char>(random()); break;
        case 1: input[at] = static_cast<char>(input[at] ^ (1 << random() % 8)); break;
        case 2: input.resize(std::max<std::size_t>(2, at)); break;
        default: input.insert(at, 1, static_cast<char>(random())); break;
      }
    }
    LLVMFuzzerTestOneInput(reinterpret_cast<const std::uint8_t*>(input.data()), input.size());
  }
}

}  // namespace pfs::test
