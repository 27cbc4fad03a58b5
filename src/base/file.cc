#include "base/file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include <fmt/format.h>

namespace pfs {

UniqueFd& UniqueFd::operator=(UniqueFd&& other) noexcept {
  if (this != &other) {
    reset();
    fd_ = other.release();
  }
  return *this;
}

int UniqueFd::release() {
  const int fd = fd_;
  fd_ = -1;
  return fd;
}

void UniqueFd::reset() {
  if (fd_ >= 0) ::close(fd_);
  fd_ = -1;
}

Result<File> File::open(const std::string& path, int flags, unsigned mode) {
  File file;
  file.fd_ = UniqueFd(::open(path.c_str(), flags | O_CLOEXEC, mode));
  if (!file.fd_) return error_from_errno(errno, "open " + path);
  file.path_ = path;
  return file;
}

Result<void> File::write_at(std::uint64_t offset, std::span<const std::byte> bytes) const {
  return write_at(offset, as_text(bytes), {});
}

Result<void> File::write_at(std::uint64_t offset, std::string_view head, std::string_view body) const {
  while (!head.empty() || !body.empty()) {
    const std::array<iovec, 2> pieces{iovec{const_cast<char*>(head.data()), head.size()},
                                      iovec{const_cast<char*>(body.data()), body.size()}};
    const ssize_t wrote = ::pwritev(fd_.get(), pieces.data(), 2, static_cast<off_t>(offset));
    if (wrote < 0) {
      if (errno == EINTR) continue;
      return error_from_errno(errno, "write " + path_);
    }
    if (wrote == 0) return Error{Code::kIo, "write " + path_ + ": wrote nothing"};
    auto done = static_cast<std::size_t>(wrote);
    offset += done;
    const auto from_head = std::min(done, head.size());
    head.remove_prefix(from_head);
    body.remove_prefix(done - from_head);
  }
  return {};
}

Result<std::size_t> File::read_at(std::uint64_t offset, std::span<std::byte> out) const {
  std::size_t done = 0;
  while (done < out.size()) {
    const ssize_t got = ::pread(fd_.get(), out.data() + done, out.size() - done, static_cast<off_t>(offset + done));
    if (got < 0) {
      if (errno == EINTR) continue;
      return error_from_errno(errno, "read " + path_);
    }
    if (got == 0) break;
    done += static_cast<std::size_t>(got);
  }
  return done;
}

Result<void> File::read_exactly(std::uint64_t offset, std::span<std::byte> out) const {
  PFS_TRY_ASSIGN(const auto got, read_at(offset, out));
  if (got != out.size()) {
    return Error{Code::kCorrupt, fmt::format("{}: ends at {} where {} bytes at {} were expected", path_, offset + got,
                                             out.size(), offset)};
  }
  return {};
}

Result<void> File::sync_data() const {
  if (::fdatasync(fd_.get()) != 0) return error_from_errno(errno, "fdatasync " + path_);
  return {};
}

Result<void> File::sync() const {
  if (::fsync(fd_.get()) != 0) return error_from_errno(errno, "fsync " + path_);
  return {};
}

Result<std::uint64_t> File::size() const {
  struct stat info {};
  if (::fstat(fd_.get(), &info) != 0) return error_from_errno(errno, "stat " + path_);
  return static_cast<std::uint64_t>(info.st_size);
}

Result<void> File::truncate(std::uint64_t size) const {
  if (::ftruncate(fd_.get(), static_cast<off_t>(size)) != 0) return error_from_errno(errno, "truncate " + path_);
  return {};
}

Result<void> sync_directory(const std::string& path) {
  PFS_TRY_ASSIGN(const auto directory, File::open(path, O_RDONLY | O_DIRECTORY));
  return directory.sync();
}

Result<void> write_file_atomically(const std::string& path, std::string_view text) {
  const std::string temporary = path + ".new";
  {
    PFS_TRY_ASSIGN(const auto file, File::open(temporary, O_WRONLY | O_CREAT | O_TRUNC));
    PFS_TRY(file.write_at(0, text, {}));
    PFS_TRY(file.sync());
  }
  if (::rename(temporary.c_str(), path.c_str()) != 0) return error_from_errno(errno, "rename to " + path);
  const auto slash = path.rfind('/');
  return sync_directory(slash == std::string::npos ? "." : path.substr(0, slash + 1));
}

Result<std::string> read_file(const std::string& path) {
  constexpr std::size_t kStep = 4096;
  PFS_TRY_ASSIGN(const auto file, File::open(path, O_RDONLY));
  PFS_TRY_ASSIGN(const auto size, file.size());
  std::string text;
  // to its end, wherever that is: files of the kernel's have a size of 0, and some give all that is in them by the first read only
  for (std::size_t wanted = std::max<std::size_t>(size + 1, kStep);; wanted = kStep) {
    const auto begin = text.size();
    text.resize(begin + wanted);
    PFS_TRY_ASSIGN(const auto got, file.read_at(begin, std::as_writable_bytes(std::span(text).subspan(begin))));
    text.resize(begin + got);
    if (got < wanted) return text;
  }
}

}  // namespace pfs
