#include "api/internal/file_get.h"

#include <algorithm>
#include <span>
#include <string>

#include <fmt/format.h>

#include "api/internal/file_find.h"
#include "api/internal/live_branch.h"

namespace pfs::api {
namespace {

constexpr std::size_t kMessageBytes = 1 << 20;

}  // namespace

Result<void> FileSender::send(const store::NodePtr& node, const RepoPath& path,
                              std::uint64_t offset) {
  PFS_TRY_ASSIGN(const auto stat, trees_.stat(node));
  *message_.mutable_file() = file_info(path, stat);
  if (stat.attributes.kind == store::Kind::kSymlink) {
    PFS_TRY_ASSIGN(*message_.mutable_file()->mutable_link_target(), trees_.read_link(node));
  }
  if (stat.attributes.kind != store::Kind::kFile) {
    message_.clear_data();
    return flush();
  }
  if (offset > stat.size) {
    return Error{Code::kInvalid, fmt::format("{}: has {} bytes, and offset {} is past its end",
                                             printable(path.str()), stat.size, offset)};
  }
  return send_bytes(node, path, offset, stat.size);
}

Result<void> FileSender::send_all(const store::NodePtr& node, const RepoPath& path) {
  PFS_TRY(send(node, path, 0));
  if (trees_.kind(node) != store::Kind::kDirectory) return {};
  return for_each_entry(trees_, node, [&](const store::ListedEntry& entry) -> Result<void> {
    auto child = trees_.lookup(node, entry.name);
    // live content: what was removed since it was listed is not there to be sent
    if (!child && child.error().code == Code::kNotFound) return {};
    if (!child) return std::move(child).error();
    return send_all(*child, path.joined(entry.name));
  });
}

Result<void> FileSender::send_bytes(const store::NodePtr& file, const RepoPath& path,
                                    std::uint64_t offset, std::uint64_t size) {
  auto& data = *message_.mutable_data();
  do {  // at least one message: an empty file is a file, too
    data.resize(std::min<std::uint64_t>(size - offset, kMessageBytes));
    auto got = trees_.read(file, offset, std::as_writable_bytes(std::span(data)));
    if (!got) return std::move(got).error().within(printable(path.str()));
    data.resize(*got);
    offset += *got;
    PFS_TRY(flush());
    if (*got == 0) return {};  // live content: it has been made shorter
  } while (offset < size);
  return {};
}

Result<void> FileSender::flush() {
  const bool sent = writer_.Write(message_);
  message_.clear_file();  // and not the data: a buffer that is as long as the next piece is not zeroed for it
  if (!sent) return Error{Code::kCancelled, "get file: the client hung up"};
  return {};
}

}  // namespace pfs::api
