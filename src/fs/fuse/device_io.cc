#include "fs/fuse/device_io.h"

#include <linux/fuse.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cstring>

#include "fs/fuse/session_context.h"

namespace pfs::fs {

namespace {

ssize_t read_request(int fd, void* buffer, std::size_t size, void* userdata) {
  const ssize_t got = read(fd, buffer, size);
  constexpr std::size_t kInit = sizeof(fuse_in_header) + offsetof(fuse_init_in, flags2);
  if (got < static_cast<ssize_t>(kInit)) return got;
  fuse_in_header header;
  std::memcpy(&header, buffer, sizeof header);
  if (header.opcode == FUSE_INIT) {
    fuse_init_in init{};
    std::memcpy(&init, static_cast<const char*>(buffer) + sizeof header,
                offsetof(fuse_init_in, flags2));
    auto& context = *static_cast<SessionContext*>(userdata);
    context.init_flags = init.flags;
    context.init_unique = header.unique;
  }
  return got;
}

bool is_init_reply(const SessionContext& context, const iovec* parts, int count) {
  if (count != 2 || parts[0].iov_len != sizeof(fuse_out_header) ||
      parts[1].iov_len < offsetof(fuse_init_out, max_background)) {
    return false;
  }
  fuse_out_header header;
  std::memcpy(&header, parts[0].iov_base, sizeof header);
  return header.unique == context.init_unique && header.error == 0;
}

ssize_t write_reply(int fd, iovec* parts, int count, void* userdata) {
  auto& context = *static_cast<SessionContext*>(userdata);
  if (context.init_unique != 0 && is_init_reply(context, parts, count)) {
    context.init_unique = 0;
    auto* flags = static_cast<char*>(parts[1].iov_base) + offsetof(fuse_init_out, flags);
    std::uint32_t wanted = 0;
    std::memcpy(&wanted, flags, sizeof wanted);
    wanted |= context.init_flags & FUSE_HANDLE_KILLPRIV_V2;
    std::memcpy(flags, &wanted, sizeof wanted);
  }
  return writev(fd, parts, count);
}

}  // namespace

const fuse_custom_io& device_io() {
  static const fuse_custom_io io{write_reply, read_request, nullptr, nullptr};
  return io;
}

}  // namespace pfs::fs
