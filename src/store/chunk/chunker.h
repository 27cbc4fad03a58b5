#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace pfs::store {

/// Version 1 of where files are cut: a gear hash with normalised chunking. Changing anything here changes the data
/// digests of files, so it would be version 2. The figures behind the sizes are in docs/format.md "Chunks".
/// Source: Xia et al., "FastCDC", USENIX ATC 2016.
struct Chunker {
  static constexpr std::uint8_t kVersion = 1;
  static constexpr std::size_t kMin = std::size_t{16} << 10U;
  static constexpr std::size_t kTarget = std::size_t{64} << 10U;
  static constexpr std::size_t kMax = std::size_t{256} << 10U;

  /// The length of the chunk that begins at `bytes`. The caller brings at least kMax bytes, or all that are left of
  /// the file. Where a chunk ends depends on its own bytes alone, so cutting can begin at any old boundary.
  static std::size_t cut(std::string_view bytes);
};

}  // namespace pfs::store
