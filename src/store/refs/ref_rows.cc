#include "store/refs/ref_rows.h"

#include <fmt/format.h>

#include "base/codec.h"

namespace pfs::store {

namespace {

constexpr std::uint8_t kValueVersion = 1;
constexpr std::uint8_t kEventVersion = 1;

}  // namespace

std::string encode_seq(Seq seq) { return Encoder().u64(seq.value()).str(); }

Result<Seq> decode_seq(std::string_view bytes) {
  Decoder decoder(bytes);
  const Seq seq(decoder.u64());
  PFS_TRY(decoder.finish("a transaction's number"));
  return seq;
}

std::string encode_value(Seq seq, std::string_view value) {
  return Encoder().u8(kValueVersion).u64(seq.value()).raw(value).str();
}

Result<RefValue> decode_value(std::string_view key, std::string_view row) {
  Decoder decoder(row);
  const auto version = decoder.u8();
  RefValue value;
  value.version = Seq(decoder.u64());
  value.value = decoder.raw(decoder.left());
  PFS_TRY(decoder.finish(fmt::format("ref {}", key)));
  if (version != kValueVersion) {
    return Error{Code::kUnsupported, fmt::format("ref {}: of version {}; a newer pfs wrote it", key, version)};
  }
  return value;
}

std::string event_key(Seq seq, std::size_t number) {
  return Encoder().u64(seq.value()).u32(static_cast<std::uint32_t>(number)).str();
}

std::string encode_event(const RefEvent& event) {
  return Encoder().u8(kEventVersion).bytes(event.kind).bytes(event.key).bytes(event.value).str();
}

Result<RefEvent> decode_event(std::string_view key, std::string_view row) {
  Decoder key_decoder(key);
  RefEvent event;
  event.seq = Seq(key_decoder.u64());
  key_decoder.u32();
  PFS_TRY(key_decoder.finish("an event's key"));

  Decoder decoder(row);
  const auto version = decoder.u8();
  event.kind = decoder.bytes();
  event.key = decoder.bytes();
  event.value = decoder.bytes();
  PFS_TRY(decoder.finish(fmt::format("event {}", event.seq.value())));
  if (version != kEventVersion) {
    return Error{Code::kUnsupported, fmt::format("event {}: of version {}; a newer pfs wrote it", event.seq.value(), version)};
  }
  return event;
}

}  // namespace pfs::store
