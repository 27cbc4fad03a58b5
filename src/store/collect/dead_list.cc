#include "store/collect/dead_list.h"

#include <fcntl.h>

#include <fmt/format.h>

#include "base/codec.h"
#include "base/file.h"

namespace pfs::store {

namespace {

constexpr std::string_view kEndMagic = "pfs-dead";
constexpr std::size_t kObjectBytes = 1 + Digest::kSize + 8 + 4;
constexpr std::size_t kEndBytes = 4 * 8 + kEndMagic.size();
constexpr std::size_t kAtOnce = 1024;

std::string encode_dead(const DeadObject& object) {
  return Encoder().u8(static_cast<std::uint8_t>(object.id.kind)).raw(object.id.digest.bytes()).u64(object.pack.value()).u32(object.length).str();
}

DeadObject decode_dead(Decoder& in) {
  DeadObject object;
  object.id.kind = static_cast<ObjectKind>(in.u8());
  object.id.digest = Digest::from_bytes(in.raw(Digest::kSize));
  object.pack = PackNumber(in.u64());
  object.length = in.u32();
  return object;
}

}  // namespace

Result<void> DeadListWriter::add(const DeadObject& object) {
  waiting_ += encode_dead(object);
  ++dead_.objects;
  dead_.bytes += object.length;
  return waiting_.size() >= kAtOnce * kObjectBytes ? write_out() : Result<void>();
}

Result<void> DeadListWriter::write_out() {
  PFS_TRY_ASSIGN(const File file, File::open(path_, O_WRONLY | O_CREAT));
  PFS_TRY(file.write_at(written_, waiting_, {}));
  written_ += waiting_.size();
  waiting_.clear();
  return {};
}

Result<void> DeadListWriter::end(const ObjectTotals& live) {
  waiting_ += Encoder().u64(live.objects).u64(live.bytes).u64(dead_.objects).u64(dead_.bytes).raw(kEndMagic).str();
  return write_out();
}

Result<DeadList> DeadList::open(const std::string& path) {
  PFS_TRY_ASSIGN(const File file, File::open(path, O_RDONLY));
  PFS_TRY_ASSIGN(const auto size, file.size());
  const Error cut{Code::kCorrupt, fmt::format("{}: was cut short", path)};
  if (size < kEndBytes) return cut;
  std::string tail(kEndBytes, '\0');
  PFS_TRY(file.read_exactly(size - kEndBytes, std::as_writable_bytes(std::span(tail))));
  Decoder in(tail);
  DeadList list{path, {}, {}};
  list.live.objects = in.u64();
  list.live.bytes = in.u64();
  list.dead.objects = in.u64();
  list.dead.bytes = in.u64();
  if (in.raw(kEndMagic.size()) != kEndMagic || size != kEndBytes + list.dead.objects * kObjectBytes) return cut;
  return list;
}

Result<void> DeadList::each(const std::function<Result<void>(const std::vector<DeadObject>&)>& visit) const {
  PFS_TRY_ASSIGN(const File file, File::open(path, O_RDONLY));
  for (std::uint64_t done = 0; done < dead.objects;) {
    const auto count = std::min<std::uint64_t>(kAtOnce, dead.objects - done);
    std::string bytes(count * kObjectBytes, '\0');
    PFS_TRY(file.read_exactly(done * kObjectBytes, std::as_writable_bytes(std::span(bytes))));
    std::vector<DeadObject> some;
    for (Decoder in(bytes); some.size() < count;) some.push_back(decode_dead(in));
    PFS_TRY(visit(some));
    done += count;
  }
  return {};
}

}  // namespace pfs::store
