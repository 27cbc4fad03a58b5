#pragma once

#include <cstddef>
#include <optional>
#include <string>

namespace pfs::cli {

/// A file or an empty directory that Ctrl-C removes as well, as long as this is there. Whoever makes it removes it in every
/// other case.
///
/// Not thread-safe by itself; any threads may have some of their own.
class Temporary {
 public:
  Temporary() = default;
  /// Shape: beyond a few at a time, or with a path that no system call takes, it is left to its owner alone.
  explicit Temporary(const std::string& path);
  Temporary(Temporary&& other) noexcept;
  Temporary& operator=(Temporary&& other) noexcept;
  Temporary(const Temporary&) = delete;
  Temporary& operator=(const Temporary&) = delete;
  ~Temporary() { release(); }

 private:
  void release() noexcept;
  std::optional<std::size_t> slot_;
};

/// Removes them, the newest first: what is in a directory was made after it. For a handler of signals, behind which the
/// process ends. Source: signal-safety(7).
void remove_temporaries() noexcept;

}  // namespace pfs::cli
