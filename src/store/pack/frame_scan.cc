#include "store/pack/frame_scan.h"

#include <algorithm>
#include <span>

namespace pfs::store {

namespace {

constexpr std::size_t kWindow = std::size_t{1} << 20U;
// Each is read and checked, and content may be full of them: a start shall not take minutes for it.
constexpr int kMostCandidates = 4096;

Result<std::optional<FrameHeader>> header_at(const File& pack, std::uint64_t offset, std::uint64_t size) {
  if (offset + kFrameHeaderSize > size) return std::optional<FrameHeader>();
  std::string bytes(kFrameHeaderSize, '\0');
  PFS_TRY(pack.read_exactly(offset, std::as_writable_bytes(std::span(bytes))));
  const auto header = decode_frame_header(bytes);
  if (!header || header->frame_length() > size - offset) return std::optional<FrameHeader>();
  return std::optional(*header);
}

}  // namespace

Result<std::optional<ScannedFrame>> frame_at(const File& pack, std::uint64_t offset, std::uint64_t size) {
  PFS_TRY_ASSIGN(const auto header, header_at(pack, offset, size));
  if (!header) return std::optional<ScannedFrame>();
  ScannedFrame frame{*header, {}, std::string(header->frame_length(), '\0')};
  PFS_TRY(pack.read_exactly(offset, std::as_writable_bytes(std::span(frame.bytes))));
  auto decoded = decode_frame({nullptr, frame.bytes}, false);
  if (!decoded) return std::optional<ScannedFrame>();
  frame.entries = std::move(decoded->entries);
  return std::optional(std::move(frame));
}

Result<std::optional<std::uint64_t>> next_frame(const File& pack, std::uint64_t offset, std::uint64_t size, const IsKnownFrame& is_known) {
  // where its header is good, that says where it ends, whatever lies in it
  PFS_TRY_ASSIGN(const auto damaged, header_at(pack, offset, size));
  if (damaged) {
    const auto end = offset + damaged->frame_length();
    PFS_TRY_ASSIGN(const auto follows, frame_at(pack, end, size));
    if (follows) return std::optional(end);
  }
  const std::string magic = frame_magic();
  std::string window;
  int candidates = 0;
  for (auto at = offset + 1; at + kFrameHeaderSize <= size; at += window.size() - magic.size() + 1) {
    window.resize(std::min<std::uint64_t>(kWindow, size - at));
    PFS_TRY(pack.read_exactly(at, std::as_writable_bytes(std::span(window))));
    for (auto found = window.find(magic); found != window.npos; found = window.find(magic, found + 1)) {
      if (++candidates > kMostCandidates) return std::optional<std::uint64_t>();
      PFS_TRY_ASSIGN(const auto frame, frame_at(pack, at + found, size));
      if (!frame) continue;
      PFS_TRY_ASSIGN(const bool known, is_known(at + found, *frame));
      if (known) return std::optional(at + found);
    }
  }
  return std::optional<std::uint64_t>();
}

}  // namespace pfs::store
