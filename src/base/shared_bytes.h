#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string_view>
#include <utility>

namespace pfs {

/// Bytes, and what keeps them where they are. Without an owner it is the giver who keeps them.
struct SharedBytes {
  std::shared_ptr<const void> owner;
  std::string_view bytes;

  /// A part of them, kept by the same owner. Shape: as std::string_view::substr.
  SharedBytes part(std::size_t offset, std::size_t length) const { return {owner, bytes.substr(offset, length)}; }
};

/// Room that is written whole before it is read, by a read or a decompression, and is not zeroed for that.
class ByteRoom {
 public:
  explicit ByteRoom(std::size_t size) : data_(std::make_shared_for_overwrite<std::byte[]>(size)), size_(size) {}

  std::span<std::byte> span() { return {data_.get(), size_}; }
  /// Once it has been written.
  SharedBytes share() && {
    const std::string_view bytes(reinterpret_cast<const char*>(data_.get()), size_);
    return {std::move(data_), bytes};
  }

 private:
  std::shared_ptr<std::byte[]> data_;
  std::size_t size_;
};

}  // namespace pfs
