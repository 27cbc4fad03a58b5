#include "api/internal/file_get.h"

#include <algorithm>
#include <array>
#include <memory>
#include <string>

#include <fmt/format.h>
#include <google/protobuf/wire_format_lite.h>

#include "api/internal/file_find.h"
#include "api/internal/live_branch.h"

namespace pfs::api {
namespace {

constexpr std::size_t kMessageBytes = 1 << 20;

/// What stands in a GetFilesResponse before `data_size` bytes of data.
std::string head_of_message(const v1::FileInfo* info, const std::size_t* data_size) {
  using google::protobuf::internal::WireFormatLite;
  v1::GetFilesResponse message;
  if (info != nullptr) *message.mutable_file() = *info;
  std::string head = message.SerializeAsString();
  if (data_size == nullptr) return head;
  google::protobuf::io::StringOutputStream out(&head);  // appends
  google::protobuf::io::CodedOutputStream coded(&out);
  coded.WriteTag(WireFormatLite::MakeTag(v1::GetFilesResponse::kDataFieldNumber,
                                         WireFormatLite::WIRETYPE_LENGTH_DELIMITED));
  coded.WriteVarint64(*data_size);
  coded.Trim();
  return head;
}

/// Memory of a message's data, which is written before it is read.
grpc::Slice data_slice(std::size_t size) {
  auto* bytes = std::make_unique_for_overwrite<std::byte[]>(size).release();
  return {bytes, size, [](void* made) { delete[] static_cast<std::byte*>(made); }, bytes};
}

}  // namespace

Result<void> FileSender::send(const store::NodePtr& node, const RepoPath& path,
                              std::uint64_t offset) {
  PFS_TRY_ASSIGN(const auto stat, trees_.stat(node));
  auto info = file_info(path, stat);
  if (stat.attributes.kind == store::Kind::kSymlink) {
    PFS_TRY_ASSIGN(*info.mutable_link_target(), trees_.read_link(node));
  }
  if (stat.attributes.kind != store::Kind::kFile) return send_message(&info, nullptr);
  if (offset > stat.size) {
    return Error{Code::kInvalid, fmt::format("{}: has {} bytes, and offset {} is past its end",
                                             printable(path.str()), stat.size, offset)};
  }
  return send_bytes(node, path, info, offset, stat.size);
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
                                    const v1::FileInfo& info, std::uint64_t offset,
                                    std::uint64_t size) {
  const v1::FileInfo* told = &info;
  do {  // at least one message: an empty file is a file, too
    auto data = data_slice(std::min<std::uint64_t>(size - offset, kMessageBytes));
    auto* const bytes = reinterpret_cast<std::byte*>(const_cast<std::uint8_t*>(data.begin()));
    auto got = trees_.read(file, offset, {bytes, data.size()});
    if (!got) return std::move(got).error().within(printable(path.str()));
    if (*got < data.size()) data = data.sub(0, *got);
    PFS_TRY(send_message(told, &data));
    if (*got == 0) return {};  // live content: it has been made shorter
    told = nullptr;
    offset += *got;
  } while (offset < size);
  return {};
}

Result<void> FileSender::send_message(const v1::FileInfo* info, const grpc::Slice* data) {
  const std::size_t size = data == nullptr ? 0 : data->size();
  std::array<grpc::Slice, 2> parts{grpc::Slice(head_of_message(info, data == nullptr ? nullptr : &size))};
  if (data != nullptr) parts[1] = *data;
  if (!stream_.Write(grpc::ByteBuffer(parts.data(), data == nullptr ? 1 : 2))) {
    return Error{Code::kCancelled, "get file: the client hung up"};
  }
  return {};
}

}  // namespace pfs::api
