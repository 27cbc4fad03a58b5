#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace pfs {

/// Appends fields of a record: fixed big-endian integers (keys, which must sort), LEB128 varints and
/// length-prefixed bytes (values).
class Encoder {
 public:
  Encoder& u8(std::uint8_t value);
  Encoder& u16(std::uint16_t value) { return fixed(value, 2); }
  Encoder& u24(std::uint32_t value) { return fixed(value, 3); }
  Encoder& u32(std::uint32_t value) { return fixed(value, 4); }
  Encoder& u40(std::uint64_t value) { return fixed(value, 5); }
  Encoder& u64(std::uint64_t value) { return fixed(value, 8); }
  Encoder& varint(std::uint64_t value);
  /// Small negative numbers stay small (zigzag).
  Encoder& signed_varint(std::int64_t value);
  Encoder& raw(std::string_view bytes);
  /// A varint length, then the bytes.
  Encoder& bytes(std::string_view bytes);

  const std::string& str() const& { return out_; }
  std::string str() && { return std::move(out_); }
  std::size_t size() const { return out_.size(); }

 private:
  Encoder& fixed(std::uint64_t value, int size);
  std::string out_;
};

/// Reads what an Encoder wrote, from bytes that nobody trusts: the first field that does not fit makes the
/// decoder fail for good, and every later field reads as zero or empty. Ask `finish()` or `ok()` at the end.
class Decoder {
 public:
  explicit Decoder(std::string_view bytes) : rest_(bytes) {}

  std::uint8_t u8() { return static_cast<std::uint8_t>(fixed(1)); }
  std::uint16_t u16() { return static_cast<std::uint16_t>(fixed(2)); }
  std::uint32_t u24() { return static_cast<std::uint32_t>(fixed(3)); }
  std::uint32_t u32() { return static_cast<std::uint32_t>(fixed(4)); }
  std::uint64_t u40() { return fixed(5); }
  std::uint64_t u64() { return fixed(8); }
  std::uint64_t varint();
  std::int64_t signed_varint();
  /// Exactly `size` bytes; a view into the input.
  std::string_view raw(std::size_t size);
  std::string_view bytes() { return raw(varint()); }

  bool ok() const { return ok_; }
  void fail() { ok_ = false; rest_ = {}; }
  std::size_t left() const { return rest_.size(); }
  /// kCorrupt naming `what` when a field did not fit or bytes are left over.
  Result<void> finish(std::string_view what) const;

 private:
  std::uint64_t fixed(std::size_t size);
  std::string_view rest_;
  bool ok_ = true;
};

}  // namespace pfs
