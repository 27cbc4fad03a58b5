#include "store/pack/sealed_pack_reader.h"

#include <fmt/format.h>

namespace pfs::store {

Result<void> SealedPackReader::open() {
  PFS_TRY_ASSIGN(const auto header, packs_.read_sealed(pack_.number, 0, kPackHeaderSize));
  PFS_TRY(check_pack_header(header.bytes, pack_.number));
  repacked_ = store::is_repacked(header.bytes);
  if (pack_.size < kPackHeaderSize + kFooterTailSize) return Error{Code::kCorrupt, fmt::format("pack {}: too short", pack_.number.value())};
  PFS_TRY_ASSIGN(const auto tail, packs_.read_sealed(pack_.number, pack_.size - kFooterTailSize, kFooterTailSize));
  PFS_TRY_ASSIGN(const auto footer, footer_size(tail.bytes));
  if (footer > pack_.size - kPackHeaderSize) return Error{Code::kCorrupt, fmt::format("pack {}: damaged footer", pack_.number.value())};
  const auto end = pack_.size - footer;
  for (std::uint64_t at = kPackHeaderSize; at < end;) {
    if (end - at < kFrameHeaderSize) return Error{Code::kCorrupt, fmt::format("pack {}: damaged at {}", pack_.number.value(), at)};
    PFS_TRY_ASSIGN(const auto bytes, packs_.read_sealed(pack_.number, at, kFrameHeaderSize));
    PFS_TRY_ASSIGN(const auto frame, decode_frame_header(bytes.bytes));
    if (frame.frame_length() > end - at) return Error{Code::kCorrupt, fmt::format("pack {}: damaged at {}", pack_.number.value(), at)};
    frames_.push_back({static_cast<std::uint32_t>(at), static_cast<std::uint32_t>(frame.frame_length()), frame.objects});
    at += frame.frame_length();
  }
  return {};
}

Result<DecodedFrame> SealedPackReader::read(const FramePlace& frame, bool with_raw) const {
  PFS_TRY_ASSIGN(const auto stored, packs_.read_sealed(pack_.number, frame.offset, frame.length));
  auto decoded = decode_frame(stored, with_raw);
  if (!decoded) return std::move(decoded).error().within(fmt::format("pack {} at {}", pack_.number.value(), frame.offset));
  return decoded;
}

}  // namespace pfs::store
