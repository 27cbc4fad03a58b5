#include "base/base64.h"

#include <cstdint>

namespace pfs {

std::optional<std::string> from_base64(std::string_view text) {
  constexpr std::string_view kDigits =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string bytes;
  std::uint32_t held = 0;
  unsigned held_bits = 0;
  std::size_t padding = 0;
  for (const char c : text) {
    if (c == '\n' || c == '\r' || c == ' ') continue;
    if (c == '=') {
      ++padding;
      continue;
    }
    const auto digit = kDigits.find(c);
    if (digit == kDigits.npos || padding != 0) return std::nullopt;
    held = held << 6 | static_cast<std::uint32_t>(digit);
    held_bits += 6;
    if (held_bits < 8) continue;
    held_bits -= 8;
    bytes += static_cast<char>(held >> held_bits & 0xFFU);
  }
  // what is left over are bits of a byte that was not meant, and they are zero
  if (padding > 2 || held_bits >= 6 || (held & ((1U << held_bits) - 1)) != 0) return std::nullopt;
  return bytes;
}

}  // namespace pfs
