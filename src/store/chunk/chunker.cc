#include "store/chunk/chunker.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <string>

#include "store/chunk/sha256.h"

namespace pfs::store {

namespace {

// Below the target size a cut needs 18 zero bits, above it 14: sizes crowd around the target.
constexpr std::uint64_t top_bits(unsigned count) { return ~std::uint64_t{0} << (64U - count); }
constexpr std::uint64_t kMaskBelowTarget = top_bits(18);
constexpr std::uint64_t kMaskAboveTarget = top_bits(14);

// gear[b] = the first 8 bytes, little endian, of SHA-256("pfs.gear.1" 0 b): nothing up anybody's sleeve.
std::array<std::uint64_t, 256> make_gear() {
  std::array<std::uint64_t, 256> gear{};
  for (unsigned value = 0; value < 256; ++value) {
    const Digest digest = sha256_tagged("pfs.gear.1", std::string(1, static_cast<char>(value)));
    for (unsigned i = 0; i < 8; ++i) gear[value] |= static_cast<std::uint64_t>(digest.array()[i]) << (8U * i);
  }
  return gear;
}

}  // namespace

std::size_t Chunker::cut(std::string_view bytes) {
  static const std::array<std::uint64_t, 256> gear = make_gear();
  if (bytes.size() <= kMin) return bytes.size();
  const std::size_t end = std::min(bytes.size(), kMax);
  const std::size_t target = std::min(end, kTarget);
  std::uint64_t hash = 0;
  std::size_t at = kMin;
  for (; at < target; ++at) {
    hash = (hash << 1U) + gear[static_cast<unsigned char>(bytes[at])];
    if ((hash & kMaskBelowTarget) == 0) return at + 1;
  }
  for (; at < end; ++at) {
    hash = (hash << 1U) + gear[static_cast<unsigned char>(bytes[at])];
    if ((hash & kMaskAboveTarget) == 0) return at + 1;
  }
  return end;
}

}  // namespace pfs::store
