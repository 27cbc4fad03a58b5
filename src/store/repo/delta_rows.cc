#include "store/repo/delta_rows.h"

#include "base/codec.h"
#include "store/repo/file_state.h"
#include "store/tree/node.h"

namespace pfs::store {

namespace {

constexpr std::uint8_t kRowVersion = 1;
enum class RowKind : std::uint8_t { kTombstone = 0, kEntry = 1, kFile = 2, kDirectory = 3 };

std::uint64_t complement(Epoch epoch) { return ~epoch.value(); }

std::string numbered(char kind, std::uint64_t number) {
  return Encoder().u8(static_cast<std::uint8_t>(kind)).u64(number).str();
}

// One entry as a leaf of one: the codec of nodes is the codec of entries.
std::string encode_one(const Entry& entry) { return LeafNode{{entry}}.encode(); }

Result<Entry> decode_one(std::string_view bytes) {
  PFS_TRY_ASSIGN(auto leaf, LeafNode::decode(bytes));
  if (leaf.entries.size() != 1) return Error{Code::kCorrupt, "delta row: damaged entry"};
  return std::move(leaf.entries.front());
}

}  // namespace

std::string DeltaRow::encode() const {
  Encoder out;
  out.u8(kRowVersion);
  if (std::holds_alternative<Tombstone>(what)) {
    out.u8(static_cast<std::uint8_t>(RowKind::kTombstone));
  } else if (const auto* entry = std::get_if<Entry>(&what)) {
    out.u8(static_cast<std::uint8_t>(RowKind::kEntry)).raw(encode_one(*entry));
  } else if (const auto* file = std::get_if<FileId>(&what)) {
    out.u8(static_cast<std::uint8_t>(RowKind::kFile)).u64(file->value());
  } else {
    out.u8(static_cast<std::uint8_t>(RowKind::kDirectory)).u64(std::get<DirId>(what).value());
  }
  return std::move(out).str();
}

Result<DeltaRow> DeltaRow::decode(std::string_view value, std::string_view name) {
  Decoder in(value);
  if (in.u8() != kRowVersion) in.fail();
  const auto kind = static_cast<RowKind>(in.u8());
  DeltaRow row;
  if (!in.ok()) return Error{Code::kCorrupt, "delta row: damaged record"};
  switch (kind) {
    case RowKind::kTombstone: break;
    case RowKind::kEntry: {
      PFS_TRY_ASSIGN(auto entry, decode_one(in.raw(in.left())));
      entry.name = name;
      row.what = std::move(entry);
      break;
    }
    case RowKind::kFile: row.what = FileId(in.u64()); break;
    case RowKind::kDirectory: row.what = DirId(in.u64()); break;
    default: in.fail();
  }
  PFS_TRY(in.finish("delta row"));
  return row;
}

std::string delta_key(DirId directory, std::string_view name, Epoch epoch) {
  return Encoder().u64(directory.value()).raw(name).u8(0).u64(complement(epoch)).str();
}

std::string delta_name_begin(DirId directory, std::string_view name) {
  return Encoder().u64(directory.value()).raw(name).u8(0).str();
}

std::string delta_name_end(DirId directory, std::string_view name) {
  return Encoder().u64(directory.value()).raw(name).u8(1).str();
}

std::string delta_directory_begin(DirId directory) { return Encoder().u64(directory.value()).str(); }
std::string delta_directory_end(DirId directory) { return Encoder().u64(directory.value() + 1).str(); }

Result<DeltaKey> parse_delta_key(std::string_view key) {
  constexpr std::size_t kTail = 1 + 8;
  if (key.size() < 8 + 1 + kTail) return Error{Code::kCorrupt, "delta row: damaged key"};
  Decoder in(key);
  DeltaKey parsed;
  parsed.directory = DirId(in.u64());
  parsed.name = in.raw(key.size() - 8 - kTail);
  if (in.u8() != 0) in.fail();
  parsed.epoch = Epoch(~in.u64());
  PFS_TRY(in.finish("delta row's key"));
  return parsed;
}

std::string DirectoryRow::encode() const {
  Entry entry;
  entry.name = ".";
  entry.attributes = attributes;
  entry.attributes.kind = Kind::kDirectory;
  entry.subtree = base;
  entry.xattrs = xattrs;
  return Encoder().u8(kRowVersion).raw(encode_one(entry)).str();
}

Result<DirectoryRow> DirectoryRow::decode(std::string_view value) {
  if (value.empty() || static_cast<std::uint8_t>(value.front()) != kRowVersion) {
    return Error{Code::kCorrupt, "directory row: damaged record"};
  }
  PFS_TRY_ASSIGN(auto entry, decode_one(value.substr(1)));
  return DirectoryRow{entry.subtree, entry.attributes, std::move(entry.xattrs)};
}

std::string directory_key(DirId directory, Epoch epoch) {
  return Encoder().raw(numbered('D', directory.value())).u64(complement(epoch)).str();
}
std::string directory_begin(DirId directory) { return numbered('D', directory.value()); }
std::string directory_end(DirId directory) { return numbered('D', directory.value() + 1); }
std::string file_key(FileId file, Epoch epoch) {
  return Encoder().raw(numbered('I', file.value())).u64(complement(epoch)).str();
}
std::string file_begin(FileId file) { return numbered('I', file.value()); }
std::string file_end(FileId file) { return numbered('I', file.value() + 1); }

Result<NumberedKey> parse_numbered_key(std::string_view key) {
  Decoder in(key);
  in.u8();
  NumberedKey parsed;
  parsed.number = in.u64();
  parsed.epoch = Epoch(~in.u64());
  PFS_TRY(in.finish("row key"));
  return parsed;
}

std::string BranchRow::encode() const {
  Encoder out;
  out.u8(kRowVersion).u64(root.value()).raw(head.value_or(CommitId{}).bytes()).raw(open.bytes()).varint(joined.size());
  for (const auto& ref : joined) out.bytes(ref.str());
  out.u8(frozen ? 1 : 0);
  if (frozen) {
    out.u64(frozen->epoch.value()).raw(frozen->commit.bytes()).raw(frozen->next.bytes()).bytes(frozen->author).bytes(frozen->description);
    out.u8(frozen->keep_unchanged ? 1 : 0);
  }
  return std::move(out).str();
}

Result<BranchRow> BranchRow::decode(std::string_view value) {
  Decoder in(value);
  BranchRow row;
  if (in.u8() != kRowVersion) in.fail();
  row.root = DirId(in.u64());
  const auto head = in.raw(CommitId::kSize);
  if (in.ok() && CommitId::from_bytes(head)) row.head = CommitId::from_bytes(head);
  const auto open = in.raw(CommitId::kSize);
  if (in.ok()) row.open = CommitId::from_bytes(open);
  for (auto count = in.varint(); count > 0 && in.ok(); --count) {
    PFS_TRY_ASSIGN(auto ref, BranchRef::parse(in.bytes()));
    row.joined.insert(std::move(ref));
  }
  if (in.u8() != 0) {
    BranchRow::Frozen frozen;
    frozen.epoch = Epoch(in.u64());
    const auto id = in.raw(CommitId::kSize);
    if (in.ok()) frozen.commit = CommitId::from_bytes(id);
    const auto next = in.raw(CommitId::kSize);
    if (in.ok()) frozen.next = CommitId::from_bytes(next);
    frozen.author = in.bytes();
    frozen.description = in.bytes();
    frozen.keep_unchanged = in.u8() != 0;
    row.frozen = std::move(frozen);
  }
  PFS_TRY(in.finish("branch row"));
  return row;
}

std::string branch_row_key(const BranchRef& ref) { return "R" + ref.str(); }
Result<BranchRef> parse_branch_row_key(std::string_view key) {
  if (key.empty()) return Error{Code::kCorrupt, "branch row: damaged key"};
  return BranchRef::parse(key.substr(1));
}

std::string CountersRow::encode() const { return Encoder().u8(kRowVersion).u64(epoch.value()).u64(next_id).str(); }

Result<CountersRow> CountersRow::decode(std::string_view value) {
  Decoder in(value);
  CountersRow row;
  if (in.u8() != kRowVersion) in.fail();
  row.epoch = Epoch(in.u64());
  row.next_id = in.u64();
  PFS_TRY(in.finish("counters row"));
  return row;
}

std::string counters_key() { return "C"; }

}  // namespace pfs::store
