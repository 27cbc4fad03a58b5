#include "store/tree/content_list.h"

#include <algorithm>
#include <cstring>

#include <fmt/format.h>

#include "base/codec.h"
#include "store/chunk/sha256.h"

namespace pfs::store {

namespace {

constexpr std::uint8_t kListVersion = 1;
constexpr std::string_view kListTag = "pfs.list.1";
constexpr std::size_t kMinItems = 16;
constexpr std::size_t kMaxItems = 256;

// A node may end after an item whose digest says so: one in 48.
bool ends(const Digest& digest) {
  std::uint64_t value = 0;
  for (unsigned i = 0; i < 8; ++i) value = (value << 8U) | digest.array()[i];
  return value < ~std::uint64_t{0} / 48;
}

}  // namespace

struct ContentReader::ListNode {
  unsigned level = 0;
  struct Item {
    Digest digest;
    std::uint64_t length = 0;
    std::uint64_t repeat = 1;
  };
  std::vector<Item> items;
};

Result<void> ContentBuilder::add_chunk(std::string_view bytes) {
  if (size_ == 0 && bytes.size() <= Content::kMaxInline) {
    first_bytes_ = bytes;
    size_ = bytes.size();
    return {};
  }
  const Digest digest = sha256(bytes);
  PFS_TRY(writer_.add({ObjectKind::kChunk, digest}, std::string(bytes), owner_));
  return add_run({digest, static_cast<std::uint32_t>(bytes.size()), 1});
}

Result<void> ContentBuilder::add_run(const ChunkRun& run) {
  size_ += run.bytes();
  if (last_ && last_->digest == run.digest) {
    last_->repeat += run.repeat;
    return {};
  }
  if (last_) {
    const Item item{last_->digest, last_->length, last_->repeat};
    PFS_TRY(push(0, item));
  }
  last_ = run;
  ++runs_;
  return {};
}

Result<void> ContentBuilder::push(std::size_t level, Item item) {
  if (levels_.size() <= level) levels_.resize(level + 1);
  levels_[level].push_back(item);
  const auto count = levels_[level].size();
  return count >= kMaxItems || (count >= kMinItems && ends(item.digest)) ? close_node(level) : Result<void>{};
}

Result<void> ContentBuilder::close_node(std::size_t level) {
  auto items = std::exchange(levels_[level], {});
  Encoder out;
  out.u8(kListVersion).u8(static_cast<std::uint8_t>(level)).varint(items.size());
  std::uint64_t bytes = 0;
  for (const auto& item : items) {
    out.raw(item.digest.bytes()).varint(item.length).varint(item.repeat);
    bytes += item.length * item.repeat;
  }
  const Digest digest = sha256_tagged(kListTag, out.str());
  PFS_TRY(writer_.add({ObjectKind::kList, digest}, std::move(out).str(), owner_));
  return push(level + 1, Item{digest, bytes, 1});
}

Result<Content> ContentBuilder::finish() {
  Content content;
  content.size = size_;
  if (!last_) {
    content.bytes = std::move(first_bytes_);
    return content;
  }
  if (runs_ == 1 && last_->repeat == 1) {
    content.form = Content::Form::kChunk;
    content.digest = last_->digest;
    return content;
  }
  PFS_TRY(push(0, Item{last_->digest, last_->length, last_->repeat}));
  // close what is open from the bottom up, until one node stands alone at the top
  for (std::size_t level = 0;; ++level) {
    const bool top = level + 1 == levels_.size();
    if (top && level > 0 && levels_[level].size() == 1) {
      content.form = Content::Form::kList;
      content.digest = levels_[level].front().digest;
      return content;
    }
    if (!levels_[level].empty()) PFS_TRY(close_node(level));
  }
}

Result<ContentReader::ListRef> ContentReader::load(const Digest& digest) const {
  {
    Lock lock(mutex_);
    for (auto it = recent_.begin(); it != recent_.end(); ++it) {
      if (it->first == digest) {
        recent_.splice(recent_.begin(), recent_, it);
        return it->second;
      }
    }
  }
  PFS_TRY_ASSIGN(const auto object, objects_.read({ObjectKind::kList, digest}));
  if (sha256_tagged(kListTag, object.bytes) != digest) {
    return Error{Code::kCorrupt, fmt::format("list node {}: its bytes have another digest", digest.hex())};
  }
  Decoder in(object.bytes);
  auto node = std::make_shared<ListNode>();
  if (in.u8() != kListVersion) in.fail();
  node->level = in.u8();
  const auto count = in.varint();
  if (count == 0 || count > kMaxItems || node->level > 16) in.fail();
  for (std::uint64_t i = 0; i < count && in.ok(); ++i) {
    ListNode::Item item;
    const auto bytes = in.raw(Digest::kSize);
    if (in.ok()) item.digest = Digest::from_bytes(bytes);
    item.length = in.varint();
    item.repeat = in.varint();
    node->items.push_back(item);
  }
  PFS_TRY(in.finish("list node"));
  Lock lock(mutex_);
  recent_.emplace_front(digest, node);
  if (recent_.size() > kNodes) recent_.pop_back();
  return ListRef(node);
}

Result<bool> ContentReader::visit_node(const Digest& digest, std::uint64_t base, std::uint64_t from,
                                       const std::function<bool(std::uint64_t, const ChunkRun&)>& visit) const {
  PFS_TRY_ASSIGN(const auto node, load(digest));
  for (const auto& item : node->items) {
    const std::uint64_t bytes = item.length * item.repeat;
    if (base + bytes > from) {
      if (node->level > 0) {
        PFS_TRY_ASSIGN(const bool go_on, visit_node(item.digest, base, from, visit));
        if (!go_on) return false;
      } else {
        ChunkRun run{item.digest, static_cast<std::uint32_t>(item.length), item.repeat};
        std::uint64_t begin = base;
        if (from > base && run.length > 0) {  // skip the equal chunks that lie before
          const std::uint64_t skipped = (from - base) / run.length;
          run.repeat -= skipped;
          begin += skipped * run.length;
        }
        if (!visit(begin, run)) return false;
      }
    }
    base += bytes;
  }
  return true;
}

Result<void> ContentReader::runs(const Content& content, std::uint64_t from,
                                 const std::function<bool(std::uint64_t, const ChunkRun&)>& visit) const {
  if (content.form == Content::Form::kChunk) {
    if (from < content.size) visit(0, {content.digest, static_cast<std::uint32_t>(content.size), 1});
    return {};
  }
  if (content.form == Content::Form::kList) PFS_TRY(visit_node(content.digest, 0, from, visit));
  return {};
}

Result<std::size_t> ContentReader::read(const Content& content, std::uint64_t offset, std::span<std::byte> out) const {
  if (offset >= content.size || out.empty()) return std::size_t{0};
  const auto wanted = static_cast<std::size_t>(std::min<std::uint64_t>(out.size(), content.size - offset));
  if (content.form == Content::Form::kInline) {
    std::memcpy(out.data(), content.bytes.data() + offset, wanted);
    return wanted;
  }
  std::size_t done = 0;
  Result<void> failure;
  PFS_TRY(runs(content, offset, [&](std::uint64_t begin, const ChunkRun& run) {
    auto object = objects_.read({ObjectKind::kChunk, run.digest});
    if (object && object->bytes.size() != run.length) {
      object = Error{Code::kCorrupt, fmt::format("chunk {}: {} bytes long where its list says {}", run.digest.hex(),
                                                 object->bytes.size(), run.length)};
    }
    if (!object) {
      failure = std::move(object).error();
      return false;
    }
    for (std::uint64_t i = 0; i < run.repeat && done < wanted; ++i) {
      const std::uint64_t inside = offset + done - (begin + i * run.length);
      const auto piece = std::min<std::size_t>(wanted - done, run.length - static_cast<std::size_t>(inside));
      std::memcpy(out.data() + done, object->bytes.data() + inside, piece);
      done += piece;
    }
    return done < wanted;
  }));
  PFS_TRY(std::move(failure));
  if (done != wanted) return Error{Code::kCorrupt, "a file's list is shorter than the file"};
  return done;
}

}  // namespace pfs::store
