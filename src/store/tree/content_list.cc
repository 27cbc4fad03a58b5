#include "store/tree/content_list.h"

#include <algorithm>
#include <cstring>

#include <fmt/format.h>

#include "store/chunk/chunker.h"
#include "store/chunk/sha256.h"

namespace pfs::store {

namespace {

// So much of a file's new chunks is hashed where it is cut: below it another thread would cost more than it brings.
constexpr std::uint64_t kHashedHere = std::uint64_t{1} << 20U;
// What is handed to the pool at once.
constexpr std::size_t kHandedOver = std::size_t{256} << 10U;

// A node may end after an item whose digest says so: one in 48.
bool ends(const Digest& digest) {
  std::uint64_t value = 0;
  for (unsigned i = 0; i < 8; ++i) value = (value << 8U) | digest.array()[i];
  return value < ~std::uint64_t{0} / 48;
}

}  // namespace

const ChunkRun& chunk_of_zeros() {
  static const ChunkRun zeros = [] {
    const std::string most(Chunker::kMax, '\0');
    const std::size_t length = Chunker::cut(most);
    return ChunkRun{sha256(std::string_view(most).substr(0, length)), static_cast<std::uint32_t>(length)};
  }();
  return zeros;
}

Result<void> ContentBuilder::add_chunk(std::string_view bytes) {
  if (size_ == 0 && bytes.size() <= Content::kMaxInline) {
    first_bytes_ = bytes;
    size_ = bytes.size();
    return {};
  }
  size_ += bytes.size();
  if (hashed_here_ < kHashedHere) {
    hashed_here_ += bytes.size();
    const Digest digest = sha256(bytes);
    PFS_TRY(writer_.add({ObjectKind::kChunk, digest}, std::string(bytes), owner_));
    return take({digest, static_cast<std::uint32_t>(bytes.size()), 1});
  }
  gathered_ += bytes;
  gathered_lengths_.push_back(static_cast<std::uint32_t>(bytes.size()));
  if (gathered_.size() < kHandedOver) return {};
  PFS_TRY(hand_over());
  return take_hashed(false);
}

Result<void> ContentBuilder::hand_over() {
  Waiting waiting;
  waiting.lengths = std::exchange(gathered_lengths_, {});
  std::string bytes;
  bytes.reserve(kHandedOver + Chunker::kMax);
  bytes.swap(gathered_);
  PFS_TRY_ASSIGN(waiting.batch, writer_.add_chunks(std::move(bytes), waiting.lengths));
  waiting_.push_back(std::move(waiting));
  return {};
}

// Takes the digests that are there, in order; all of them before anything else can follow.
Result<void> ContentBuilder::take_hashed(bool all) {
  if (all && !gathered_.empty()) PFS_TRY(hand_over());
  while (!waiting_.empty() && (all || writer_.hashed(waiting_.front().batch))) {
    const auto waiting = std::move(waiting_.front());
    waiting_.pop_front();
    const auto digests = writer_.digests(waiting.batch);
    for (std::size_t i = 0; i < digests.size(); ++i) PFS_TRY(take({digests[i], waiting.lengths[i], 1}));
  }
  return {};
}

Result<void> ContentBuilder::add_run(const ChunkRun& run) {
  PFS_TRY(take_hashed(true));
  size_ += run.bytes();
  return take(run);
}

Result<void> ContentBuilder::take(const ChunkRun& run) {
  if (last_ && last_->digest == run.digest) {
    last_->repeat += run.repeat;
    return {};
  }
  if (last_) {
    const ListNode::Item item{last_->digest, last_->length, last_->repeat};
    PFS_TRY(push(0, item));
  }
  last_ = run;
  ++runs_;
  return {};
}

bool ContentBuilder::stands_between_nodes(std::size_t level) const {
  if (last_) return false;
  for (std::size_t below = 0; below <= level && below < levels_.size(); ++below) {
    if (!levels_[below].empty()) return false;
  }
  return true;
}

// A node of the other list is what building it again would give, if its beginning is one between nodes here too, and what
// follows it is known: its last run cannot go on in the next chunk. So the last node of the part is gone into. That also
// leaves out nodes that were ended by the end of the other file.
Result<void> ContentBuilder::add_part(const ContentReader& reader, const Content& content, std::uint64_t from, std::uint64_t to) {
  PFS_TRY(take_hashed(true));
  size_ += to - from;
  bool first = true;  // after the first one, neighbours are neighbours of the other list: never equal runs
  return reader.walk(
      content, from, to,
      [&](const ContentReader::NodeRef& node) -> Result<bool> {
        if (node.begin + node.bytes >= to || (first && last_)) return false;
        if (last_) {
          const auto last = *std::exchange(last_, std::nullopt);
          PFS_TRY(push(0, ListNode::Item{last.digest, last.length, last.repeat}));
        }
        if (!stands_between_nodes(node.level)) return false;
        PFS_TRY(push(node.level + 1, ListNode::Item{node.digest, node.bytes, 1}));
        runs_ += 2;  // a node is never all there is
        first = false;
        return true;
      },
      [&](const ChunkRun& run) {
        first = false;
        return take(run);
      });
}

Result<void> ContentBuilder::push(std::size_t level, ListNode::Item item) {
  if (levels_.size() <= level) levels_.resize(level + 1);
  levels_[level].push_back(item);
  const auto count = levels_[level].size();
  return count >= ListNode::kMaxItems || (count >= ListNode::kMinItems && ends(item.digest)) ? close_node(level) : Result<void>{};
}

Result<void> ContentBuilder::close_node(std::size_t level) {
  const ListNode node{static_cast<unsigned>(level), std::exchange(levels_[level], {})};
  std::uint64_t bytes = 0;
  for (const auto& item : node.items) bytes += item.bytes();
  auto encoded = node.encode();
  const Digest digest = ListNode::digest_of(encoded);
  PFS_TRY(writer_.add({ObjectKind::kList, digest}, std::move(encoded), owner_));
  return push(level + 1, ListNode::Item{digest, bytes, 1});
}

Result<Content> ContentBuilder::finish() {
  PFS_TRY(take_hashed(true));
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
  PFS_TRY(push(0, ListNode::Item{last_->digest, last_->length, last_->repeat}));
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
  if (ListNode::digest_of(object.bytes) != digest) {
    return Error{Code::kCorrupt, fmt::format("list node {}: its bytes have another digest", digest.hex())};
  }
  PFS_TRY_ASSIGN(auto decoded, ListNode::decode(object.bytes));
  const auto node = std::make_shared<const ListNode>(std::move(decoded));
  Lock lock(mutex_);
  recent_.emplace_front(digest, node);
  if (recent_.size() > kNodes) recent_.pop_back();
  return node;
}

Result<bool> ContentReader::visit_node(const Digest& digest, std::uint64_t base, std::uint64_t from,
                                       const std::function<bool(std::uint64_t, const ChunkRun&)>& visit) const {
  PFS_TRY_ASSIGN(const auto node, load(digest));
  for (const auto& item : node->items) {
    const std::uint64_t bytes = item.bytes();
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

struct ContentReader::Walk {
  std::uint64_t from = 0;
  std::uint64_t to = 0;
  const std::function<Result<bool>(const NodeRef&)>& take;
  const std::function<Result<void>(const ChunkRun&)>& run;
};

Result<void> ContentReader::walk_node(const Walk& walk, const Digest& digest, std::uint64_t base) const {
  PFS_TRY_ASSIGN(const auto node, load(digest));
  for (const auto& item : node->items) {
    const std::uint64_t bytes = item.bytes();
    const std::uint64_t end = base + bytes;
    if (base >= walk.to) return {};
    if (end > walk.from && node->level == 0 && item.length > 0) {
      const std::uint64_t before = base < walk.from ? (walk.from - base) / item.length : 0;
      const std::uint64_t behind = end > walk.to ? (end - walk.to) / item.length : 0;
      PFS_TRY(walk.run({item.digest, static_cast<std::uint32_t>(item.length), item.repeat - before - behind}));
    } else if (end > walk.from && node->level > 0) {
      bool taken = false;
      if (base >= walk.from && end <= walk.to) {
        PFS_TRY_ASSIGN(taken, walk.take({item.digest, node->level - 1, base, bytes}));
      }
      if (!taken) PFS_TRY(walk_node(walk, item.digest, base));
    }
    base = end;
  }
  return {};
}

Result<void> ContentReader::walk(const Content& content, std::uint64_t from, std::uint64_t to,
                                 const std::function<Result<bool>(const NodeRef&)>& take,
                                 const std::function<Result<void>(const ChunkRun&)>& run) const {
  if (from >= to) return {};
  if (content.form == Content::Form::kChunk) return run({content.digest, static_cast<std::uint32_t>(content.size), 1});
  if (content.form == Content::Form::kList) return walk_node({from, to, take, run}, content.digest, 0);
  return {};
}

Result<std::size_t> ContentReader::read(const Content& content, std::uint64_t offset, std::span<std::byte> out) const {
  if (offset >= content.size || out.empty()) return std::size_t{0};
  const auto wanted = static_cast<std::size_t>(std::min<std::uint64_t>(out.size(), content.size - offset));
  if (content.form == Content::Form::kInline) {
    std::memcpy(out.data(), content.bytes.data() + offset, wanted);
    return wanted;
  }
  ReadAhead::ReaderPtr reader;
  if (content.form == Content::Form::kList) {
    reader = ahead_.reader_of(content.digest, offset, offset + wanted);
    if (reader) PFS_TRY(fetch_ahead(content, reader, offset, offset + wanted));
  }
  std::size_t done = 0;
  Result<void> failure;
  PFS_TRY(runs(content, offset, [&](std::uint64_t begin, const ChunkRun& run) {
    auto ahead = reader ? ahead_.take(reader, offset + done, run.digest) : std::nullopt;
    auto object = ahead ? Result<SharedBytes>(std::move(*ahead)) : objects_.read({ObjectKind::kChunk, run.digest});
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

Result<void> ContentReader::fetch_ahead(const Content& content, const ReadAhead::ReaderPtr& reader, std::uint64_t offset,
                                        std::uint64_t end) const {
  return ahead_.fetch(reader, offset, end, [&](std::uint64_t from, const std::function<bool(const ReadAhead::Run&)>& visit) {
    return runs(content, from, [&](std::uint64_t begin, const ChunkRun& run) {
      return visit({begin, begin + run.bytes(), run.digest});
    });
  });
}

}  // namespace pfs::store
