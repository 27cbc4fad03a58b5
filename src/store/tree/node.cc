#include "store/tree/node.h"

#include <xxhash.h>

#include <algorithm>

#include <fmt/format.h>

#include "base/codec.h"
#include "store/chunk/sha256.h"

namespace pfs::store {

namespace {

constexpr std::uint8_t kNodeVersion = 1;
constexpr std::string_view kNodeTag = "pfs.node.1";
constexpr std::string_view kDataTag = "pfs.data.1";

// Flags of an entry.
constexpr std::uint8_t kHasLink = 1;
constexpr std::uint8_t kHasXattrs = 2;

std::size_t shared_prefix(std::string_view a, std::string_view b) {
  const auto [end, ignored] = std::mismatch(a.begin(), a.begin() + static_cast<std::ptrdiff_t>(std::min(a.size(), b.size())), b.begin());
  return static_cast<std::size_t>(end - a.begin());
}

void encode_content(Encoder& out, const Content& content) {
  out.u8(static_cast<std::uint8_t>(content.form)).varint(content.size);
  if (content.form == Content::Form::kInline) {
    out.raw(content.bytes);
  } else {
    out.raw(content.digest.bytes());
  }
}

Content decode_content(Decoder& in) {
  Content content;
  const auto form = in.u8();
  content.form = static_cast<Content::Form>(form);
  content.size = in.varint();
  if (form > 2 || (form == 0 && content.size > Content::kMaxInline)) {
    in.fail();
  } else if (content.form == Content::Form::kInline) {
    content.bytes = in.raw(content.size);
  } else {
    const auto digest = in.raw(Digest::kSize);
    if (in.ok()) content.digest = Digest::from_bytes(digest);
  }
  return content;
}

void encode_entry(Encoder& out, const Entry& entry, std::string_view previous_name) {
  const auto shared = shared_prefix(previous_name, entry.name);
  out.varint(shared).bytes(std::string_view(entry.name).substr(shared));
  const auto& attributes = entry.attributes;
  const auto flags = static_cast<std::uint8_t>((entry.link_id != 0 ? kHasLink : 0) | (entry.xattrs.empty() ? 0 : kHasXattrs));
  out.u8(static_cast<std::uint8_t>(attributes.kind)).u8(flags);
  out.varint(attributes.mode).varint(attributes.uid).varint(attributes.gid);
  // unsigned: the difference of two times far apart wraps, and wraps back when it is read
  const auto ctime_delta = static_cast<std::uint64_t>(attributes.ctime.nanoseconds) - static_cast<std::uint64_t>(attributes.mtime.nanoseconds);
  out.signed_varint(attributes.mtime.nanoseconds).signed_varint(static_cast<std::int64_t>(ctime_delta));
  switch (attributes.kind) {
    case Kind::kFile:
    case Kind::kSymlink: encode_content(out, entry.content); break;
    case Kind::kDirectory:
      out.raw(entry.subtree.root.bytes()).raw(entry.subtree.data_digest.bytes());
      out.varint(entry.subtree.totals.files).varint(entry.subtree.totals.bytes).varint(entry.subtree.totals.links);
      break;
    case Kind::kBlockDevice:
    case Kind::kCharacterDevice: out.varint(attributes.rdev); break;
    case Kind::kFifo:
    case Kind::kSocket: break;
  }
  if (entry.link_id != 0) out.u64(entry.link_id);
  if (!entry.xattrs.empty()) {
    out.varint(entry.xattrs.size());
    for (const auto& [name, value] : entry.xattrs) out.bytes(name).bytes(value);
  }
}

Digest read_digest(Decoder& in) {
  const auto bytes = in.raw(Digest::kSize);
  return in.ok() ? Digest::from_bytes(bytes) : Digest{};
}

Totals read_totals(Decoder& in) {
  Totals totals;
  totals.files = in.varint();
  totals.bytes = in.varint();
  totals.links = in.varint();
  return totals;
}

std::string read_name(Decoder& in, std::string_view previous_name) {
  const auto shared = in.varint();
  const auto suffix = in.bytes();
  if (shared > previous_name.size()) in.fail();
  return in.ok() ? std::string(previous_name.substr(0, shared)).append(suffix) : std::string();
}

Entry decode_entry(Decoder& in, std::string_view previous_name) {
  Entry entry;
  entry.name = read_name(in, previous_name);
  const auto kind = in.u8();
  const auto flags = in.u8();
  if (kind < 1 || kind > 7 || (flags & ~(kHasLink | kHasXattrs)) != 0) in.fail();
  auto& attributes = entry.attributes;
  attributes.kind = static_cast<Kind>(kind);
  attributes.mode = static_cast<std::uint32_t>(in.varint());
  attributes.uid = static_cast<std::uint32_t>(in.varint());
  attributes.gid = static_cast<std::uint32_t>(in.varint());
  attributes.mtime.nanoseconds = in.signed_varint();
  const auto ctime_delta = static_cast<std::uint64_t>(in.signed_varint());
  attributes.ctime.nanoseconds =
      static_cast<std::int64_t>(static_cast<std::uint64_t>(attributes.mtime.nanoseconds) + ctime_delta);
  if (!in.ok()) return entry;
  switch (attributes.kind) {
    case Kind::kFile:
    case Kind::kSymlink: entry.content = decode_content(in); break;
    case Kind::kDirectory:
      entry.subtree.root = read_digest(in);
      entry.subtree.data_digest = read_digest(in);
      entry.subtree.totals = read_totals(in);
      break;
    case Kind::kBlockDevice:
    case Kind::kCharacterDevice: attributes.rdev = in.varint(); break;
    case Kind::kFifo:
    case Kind::kSocket: break;
  }
  if ((flags & kHasLink) != 0) entry.link_id = in.u64();
  if ((flags & kHasXattrs) != 0) {
    for (auto count = in.varint(); count > 0 && in.ok(); --count) {
      std::string name(in.bytes());
      entry.xattrs[std::move(name)] = std::string(in.bytes());
    }
  }
  return entry;
}

}  // namespace

std::uint64_t NodeRule::hash(std::string_view name, unsigned level) {
  return XXH3_64bits_withSeed(name.data(), name.size(), level);
}

bool NodeRule::ends(std::uint64_t hash, std::size_t count) {
  if (count < kMin) return false;
  // two thresholds crowd the sizes around the target: one in 48 below it, one in 12 above
  constexpr std::uint64_t kBelow = ~std::uint64_t{0} / 48;
  constexpr std::uint64_t kAbove = ~std::uint64_t{0} / 12;
  return hash < (count < kTarget ? kBelow : kAbove);
}

Digest node_digest(std::string_view encoded) { return sha256_tagged(kNodeTag, encoded); }

Result<unsigned> node_level(std::string_view encoded) {
  if (encoded.size() < 2 || static_cast<std::uint8_t>(encoded[0]) != kNodeVersion) {
    return Error{Code::kCorrupt, "tree node: damaged, or of a newer version"};
  }
  return static_cast<std::uint8_t>(encoded[1]);
}

Totals operator+(const Totals& a, const Totals& b) {
  return {a.files + b.files, a.bytes + b.bytes, a.links + b.links};
}

Totals totals_of(const Entry& entry) {
  if (entry.is_directory()) return entry.subtree.totals;
  return {1, entry.content.size, entry.link_id != 0 ? std::uint64_t{1} : 0};
}

std::string LeafNode::encode() const {
  Encoder out;
  out.u8(kNodeVersion).u8(0).varint(entries.size());
  std::string_view previous;
  for (const auto& entry : entries) {
    encode_entry(out, entry, previous);
    previous = entry.name;
  }
  return std::move(out).str();
}

Result<LeafNode> LeafNode::decode(std::string_view bytes) {
  Decoder in(bytes);
  if (in.u8() != kNodeVersion || in.u8() != 0) in.fail();
  LeafNode node;
  const auto count = in.varint();
  if (count > NodeRule::kMax) in.fail();
  for (std::uint64_t i = 0; i < count && in.ok(); ++i) {
    const std::string previous = node.entries.empty() ? std::string() : node.entries.back().name;
    node.entries.push_back(decode_entry(in, previous));
    if (i > 0 && node.entries.back().name <= previous) in.fail();
  }
  PFS_TRY(in.finish("tree node"));
  return node;
}

Digest LeafNode::digest() const { return node_digest(encode()); }

Digest LeafNode::data_digest() const {
  Encoder out;
  out.u8(0);
  for (const auto& entry : entries) {
    const bool executable = entry.attributes.kind == Kind::kFile && (entry.attributes.mode & 0100U) != 0;
    out.bytes(entry.name).u8(static_cast<std::uint8_t>(entry.attributes.kind)).u8(executable ? 1 : 0);
    out.raw(entry.data_digest().bytes());
  }
  return sha256_tagged(kDataTag, out.str());
}

Totals LeafNode::totals() const {
  Totals sum;
  for (const auto& entry : entries) sum = sum + totals_of(entry);
  return sum;
}

std::string InnerNode::encode() const {
  Encoder out;
  out.u8(kNodeVersion).u8(static_cast<std::uint8_t>(level)).varint(children.size());
  std::string_view previous;
  for (const auto& child : children) {
    const auto shared = shared_prefix(previous, child.last_name);
    out.varint(shared).bytes(std::string_view(child.last_name).substr(shared));
    out.raw(child.digest.bytes()).raw(child.data_digest.bytes());
    out.varint(child.totals.files).varint(child.totals.bytes).varint(child.totals.links);
    previous = child.last_name;
  }
  return std::move(out).str();
}

Result<InnerNode> InnerNode::decode(std::string_view bytes) {
  Decoder in(bytes);
  InnerNode node;
  if (in.u8() != kNodeVersion) in.fail();
  node.level = in.u8();
  const auto count = in.varint();
  if (node.level == 0 || node.level > 16 || count == 0 || count > NodeRule::kMax) in.fail();
  for (std::uint64_t i = 0; i < count && in.ok(); ++i) {
    const std::string previous = node.children.empty() ? std::string() : node.children.back().last_name;
    ChildRef child;
    child.last_name = read_name(in, previous);
    child.digest = read_digest(in);
    child.data_digest = read_digest(in);
    child.totals = read_totals(in);
    if (i > 0 && child.last_name <= previous) in.fail();
    node.children.push_back(std::move(child));
  }
  PFS_TRY(in.finish("tree node"));
  return node;
}

Digest InnerNode::data_digest() const {
  Encoder out;
  out.u8(static_cast<std::uint8_t>(level));
  for (const auto& child : children) out.raw(child.data_digest.bytes());
  return sha256_tagged(kDataTag, out.str());
}

Totals InnerNode::totals() const {
  Totals sum;
  for (const auto& child : children) sum = sum + child.totals;
  return sum;
}

}  // namespace pfs::store
