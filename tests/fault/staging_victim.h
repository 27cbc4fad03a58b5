#pragma once

#include <cstddef>
#include <string>

namespace pfs::test {

// What staging_victim has synced before it is killed, by what it is killed in.

inline constexpr int kKeptFiles = 4;
inline std::string kept_name(int file) { return "kept" + std::to_string(file); }
inline std::string kept_bytes(int file) { return std::string(20'000, static_cast<char>('a' + file)); }

/// Of a file that has `spools` of them: each was written over the ones before.
inline std::string spooled_bytes(int spools) {
  std::string bytes(std::size_t{2} << 20U, 'a');
  for (int spool = 1; spool < spools; ++spool) {
    bytes.replace(static_cast<std::size_t>(spool) * 100'000, 5000, std::string(5000, static_cast<char>('a' + spool)));
  }
  return bytes;
}

}  // namespace pfs::test
