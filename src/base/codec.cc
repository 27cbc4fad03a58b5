#include "base/codec.h"

#include <fmt/format.h>

namespace pfs {

Encoder& Encoder::u8(std::uint8_t value) {
  out_.push_back(static_cast<char>(value));
  return *this;
}

Encoder& Encoder::fixed(std::uint64_t value, int size) {
  for (int shift = (size - 1) * 8; shift >= 0; shift -= 8) out_.push_back(static_cast<char>((value >> shift) & 0xFFU));
  return *this;
}

Encoder& Encoder::varint(std::uint64_t value) {
  while (value >= 0x80U) {
    out_.push_back(static_cast<char>((value & 0x7FU) | 0x80U));
    value >>= 7U;
  }
  out_.push_back(static_cast<char>(value));
  return *this;
}

Encoder& Encoder::signed_varint(std::int64_t value) {
  const auto bits = static_cast<std::uint64_t>(value);
  return varint((bits << 1U) ^ (value < 0 ? ~std::uint64_t{0} : 0));
}

Encoder& Encoder::raw(std::string_view bytes) {
  out_.append(bytes);
  return *this;
}

Encoder& Encoder::bytes(std::string_view bytes) { return varint(bytes.size()).raw(bytes); }

std::uint64_t Decoder::fixed(std::size_t size) {
  const auto bytes = raw(size);
  std::uint64_t value = 0;
  for (char c : bytes) value = (value << 8U) | static_cast<unsigned char>(c);
  return value;
}

std::uint64_t Decoder::varint() {
  std::uint64_t value = 0;
  for (unsigned shift = 0; shift < 64; shift += 7) {
    if (rest_.empty()) break;
    const auto byte = static_cast<unsigned char>(rest_.front());
    rest_.remove_prefix(1);
    if (shift == 63 && byte > 1) break;
    value |= static_cast<std::uint64_t>(byte & 0x7FU) << shift;
    if ((byte & 0x80U) == 0) return value;
  }
  fail();
  return 0;
}

std::int64_t Decoder::signed_varint() {
  const auto bits = varint();
  return static_cast<std::int64_t>((bits >> 1U) ^ (~(bits & 1U) + 1U));
}

std::string_view Decoder::raw(std::size_t size) {
  if (!ok_ || size > rest_.size()) {
    fail();
    return {};
  }
  const auto bytes = rest_.substr(0, size);
  rest_.remove_prefix(size);
  return bytes;
}

Result<void> Decoder::finish(std::string_view what) const {
  if (!ok_) return Error{Code::kCorrupt, fmt::format("{}: damaged record", what)};
  if (!rest_.empty()) return Error{Code::kCorrupt, fmt::format("{}: {} bytes too many", what, rest_.size())};
  return {};
}

}  // namespace pfs
