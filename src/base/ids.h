#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace pfs {

/// An integer with a meaning: two numbers of different meaning do not convert into each other.
template <class Tag, class Rep = std::uint64_t>
class Id {
 public:
  using rep = Rep;

  constexpr Id() = default;
  constexpr explicit Id(Rep value) : value_(value) {}
  constexpr Rep value() const { return value_; }
  constexpr explicit operator bool() const { return value_ != 0; }
  constexpr auto operator<=>(const Id&) const = default;

 private:
  Rep value_ = 0;
};

/// Bytes with a meaning, printed as hex.
template <class Tag, std::size_t Size>
class ByteId {
 public:
  static constexpr std::size_t kSize = Size;

  constexpr ByteId() = default;
  constexpr explicit ByteId(const std::array<std::uint8_t, Size>& bytes) : bytes_(bytes) {}

  /// From exactly `kSize` raw bytes (the caller has checked the length).
  static ByteId from_bytes(std::string_view raw) {
    ByteId id;
    std::memcpy(id.bytes_.data(), raw.data(), Size);
    return id;
  }

  /// Errors: kInvalid unless `text` is 2 * kSize lower-case hex digits.
  static Result<ByteId> from_hex(std::string_view text);

  std::string hex() const;
  std::string_view bytes() const { return {reinterpret_cast<const char*>(bytes_.data()), Size}; }
  const std::array<std::uint8_t, Size>& array() const { return bytes_; }
  std::array<std::uint8_t, Size>& array() { return bytes_; }

  /// False for the value of all zeros, which names nothing.
  explicit operator bool() const { return bytes_ != std::array<std::uint8_t, Size>{}; }
  auto operator<=>(const ByteId&) const = default;

 private:
  std::array<std::uint8_t, Size> bytes_{};
};

struct DigestTag;
struct CommitIdTag;
struct JobIdTag;
/// SHA-256 of something; what it covers is said where it is used.
using Digest = ByteId<DigestTag, 32>;
/// A commit's name for ever: 32 hex digits.
using CommitId = ByteId<CommitIdTag, 16>;
/// A job's name for ever: 32 hex digits, a function of what caused it.
using JobId = ByteId<JobIdTag, 16>;

/// A value of all `kSize` bytes from the kernel's random source. Source: getrandom(2).
std::array<std::uint8_t, 16> random_bytes_16();
CommitId new_commit_id();

/// Lower-case hex of any bytes.
std::string to_hex(std::string_view bytes);
/// Errors: kInvalid unless `text` is an even number of lower-case hex digits.
Result<std::string> bytes_from_hex(std::string_view text);

template <class Tag, std::size_t Size>
std::string ByteId<Tag, Size>::hex() const {
  return to_hex(bytes());
}

template <class Tag, std::size_t Size>
Result<ByteId<Tag, Size>> ByteId<Tag, Size>::from_hex(std::string_view text) {
  if (text.size() != 2 * Size) {
    return Error{Code::kInvalid, "'" + std::string(text) + "' is not " + std::to_string(2 * Size) + " hex digits"};
  }
  PFS_TRY_ASSIGN(auto raw, bytes_from_hex(text));
  return from_bytes(raw);
}

}  // namespace pfs

template <class Tag, class Rep>
struct std::hash<pfs::Id<Tag, Rep>> {
  std::size_t operator()(const pfs::Id<Tag, Rep>& id) const noexcept { return std::hash<Rep>{}(id.value()); }
};

template <class Tag, std::size_t Size>
struct std::hash<pfs::ByteId<Tag, Size>> {
  // digests and random ids are uniform already
  std::size_t operator()(const pfs::ByteId<Tag, Size>& id) const noexcept {
    std::size_t value = 0;
    std::memcpy(&value, id.array().data(), sizeof value);
    return value;
  }
};
