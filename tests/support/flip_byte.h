#pragma once

#include <fcntl.h>

#include <cstdint>
#include <span>
#include <string>

#include "base/file.h"
#include "support/must.h"

namespace pfs::test {

/// Damages a file: one byte of it is another.
inline void flip_byte(const std::string& path, std::uint64_t offset) {
  const auto file = must(File::open(path, O_RDWR));
  std::string byte(1, '\0');
  must(file.read_exactly(offset, std::as_writable_bytes(std::span(byte))));
  byte[0] = static_cast<char>(byte[0] ^ 0x55);
  must(file.write_at(offset, byte, {}));
}

}  // namespace pfs::test
