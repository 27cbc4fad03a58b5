#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"

namespace pfs {

/// Owns a file descriptor.
class UniqueFd {
 public:
  UniqueFd() = default;
  explicit UniqueFd(int fd) : fd_(fd) {}
  UniqueFd(UniqueFd&& other) noexcept : fd_(other.release()) {}
  UniqueFd& operator=(UniqueFd&& other) noexcept;
  UniqueFd(const UniqueFd&) = delete;
  UniqueFd& operator=(const UniqueFd&) = delete;
  ~UniqueFd() { reset(); }

  int get() const { return fd_; }
  explicit operator bool() const { return fd_ >= 0; }
  int release();
  void reset();

 private:
  int fd_ = -1;
};

/// An open file on the local disk, by its path for messages. All descriptors are O_CLOEXEC.
///
/// Thread-safe as pread(2) and pwrite(2) are.
class File {
 public:
  File() = default;
  /// `flags` as for open(2); O_CLOEXEC is added. Errors: by errno.
  static Result<File> open(const std::string& path, int flags, unsigned mode = 0600);

  /// All of `bytes` at `offset`. Errors: kNoSpace, kIo.
  Result<void> write_at(std::uint64_t offset, std::span<const std::byte> bytes) const;
  /// Two pieces, one behind the other, in one call.
  Result<void> write_at(std::uint64_t offset, std::string_view head, std::string_view body) const;
  /// Fills `out`; shape: returns how much was read, fewer only at the end of the file.
  Result<std::size_t> read_at(std::uint64_t offset, std::span<std::byte> out) const;
  /// Exactly `out.size()` bytes. Errors: kCorrupt when the file is shorter.
  Result<void> read_exactly(std::uint64_t offset, std::span<std::byte> out) const;
  Result<void> sync_data() const;
  Result<void> sync() const;
  Result<std::uint64_t> size() const;
  Result<void> truncate(std::uint64_t size) const;

  const std::string& path() const { return path_; }
  int fd() const { return fd_.get(); }
  explicit operator bool() const { return static_cast<bool>(fd_); }

 private:
  UniqueFd fd_;
  std::string path_;
};

/// fsync of a directory, so that a name made in it survives a power cut.
Result<void> sync_directory(const std::string& path);

/// Writes `text` to a temporary name beside `path`, syncs it, renames it over `path` and syncs the directory.
Result<void> write_file_atomically(const std::string& path, std::string_view text);

/// The whole of a small file.
Result<std::string> read_file(const std::string& path);

inline std::span<const std::byte> as_bytes(std::string_view text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}
inline std::string_view as_text(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

}  // namespace pfs
