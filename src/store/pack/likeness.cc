#include "store/pack/likeness.h"

#include <algorithm>
#include <cstring>

namespace pfs::store {

std::uint64_t likeness(std::string_view bytes) {
  constexpr std::size_t kStretch = 8;
  std::uint64_t least = ~std::uint64_t{0};
  for (std::size_t at = 0; at + kStretch <= bytes.size(); ++at) {
    std::uint64_t stretch = 0;
    std::memcpy(&stretch, bytes.data() + at, kStretch);
    // the finish of MurmurHash3: each bit of the stretch decides about every bit of the hash
    stretch ^= stretch >> 33U;
    stretch *= 0xff51afd7ed558ccdU;
    stretch ^= stretch >> 33U;
    stretch *= 0xc4ceb9fe1a85ec53U;
    stretch ^= stretch >> 33U;
    least = std::min(least, stretch);
  }
  return least;
}

}  // namespace pfs::store
