#include "store/repo/cut_ahead.h"

#include <pthread.h>

#include <algorithm>
#include <utility>

#include <spdlog/spdlog.h>

#include "store/chunk/chunker.h"
#include "store/repo/live_node.h"

namespace pfs::store {

namespace {

// Files and chunks that are remembered at most; who comes later is cut by the commit. A chunk takes 40 bytes.
constexpr std::size_t kFiles = 256;
constexpr std::size_t kChunks = std::size_t{1} << 20U;
constexpr std::size_t kHandedOver = std::size_t{256} << 10U;
// A file with such a hole is cut no farther; smaller ones are cut like what else is written.
constexpr std::uint64_t kHugeHole = std::uint64_t{1} << 30U;

}  // namespace

// Guarded by CutAhead::mutex_.
class CutAhead::File {
 public:
  File(FileId file_id, Epoch file_epoch, std::weak_ptr<LiveNode> file_node) : id(file_id), epoch(file_epoch), node(std::move(file_node)) {}

  struct Part {
    ObjectWriter::BatchPtr batch;
    std::vector<std::uint32_t> lengths;
  };

  const FileId id;
  Epoch epoch;  // all its bytes were written in it; changed under the file's mutex too, so read under either
  const std::weak_ptr<LiveNode> node;
  std::optional<Epoch> changed_in;  // the first later epoch in which it was written
  std::uint64_t written = 0;        // what `writes_` was with its last write
  std::uint64_t cut = 0;            // bytes, from its front
  std::uint64_t looked_at = 0;      // and so far it must stay as it is: while a piece is read and cut, to the end of that
  std::deque<Part> parts;
  std::size_t chunks = 0;
  bool queued = false;
  bool stepping = false;
  bool closed = false;  // it is cut no farther
};

// The writer is the thread's, but for its digests(); the rest is guarded by CutAhead::mutex_.
struct CutAhead::Session {
  explicit Session(Objects& objects) : writer(objects) {}

  ObjectWriter writer;
  std::optional<Error> failed;  // for good: what a failed sync has lost no later one brings back
  // Calls of flush() are numbered, as in StagingLog::sync()
  std::uint64_t asked = 0;
  std::uint64_t served = 0;
};

CutAhead::CutAhead(Objects& objects, const ContentReader& contents, StagingLog& staging, MayBeCommitted may_be_committed)
    : objects_(objects),
      contents_(contents),
      staging_(staging),
      may_be_committed_(std::move(may_be_committed)),
      step_bytes_(staging.limits().cut_ahead_bytes) {}

CutAhead::~CutAhead() {
  std::thread thread;
  {
    Lock lock(mutex_);
    stopping_ = true;
    thread = std::move(thread_);
  }
  asked_or_done_.notify_all();
  if (thread.joinable()) thread.join();
}

// Forgets the file; what LiveNode still has of it is closed.
void CutAhead::drop(FilePtr& file) {
  file->closed = true;
  remembered_ -= file->chunks;
  file->cut = file->looked_at = file->chunks = 0;
  file->parts.clear();
  if (const auto found = files_.find(file->id); found != files_.end() && found->second == file) files_.erase(found);
}

// Makes room by forgetting files that were closed for good: whether they are committed before their turn comes nobody knows.
bool CutAhead::room_for_another() {
  if (files_.size() < kFiles) return true;
  std::vector<FilePtr> gone;
  for (const auto& [id, file] : files_) {
    if (file->node.expired() && !file->stepping) gone.push_back(file);
  }
  for (auto& file : gone) drop(file);
  return files_.size() < kFiles;
}

void CutAhead::wrote(LiveNode& file, std::uint64_t offset) {
  const auto& state = file.state;
  if (state.size < step_bytes_ || step_bytes_ == 0) return;
  Lock lock(mutex_);
  auto& known = file.cut_ahead;
  if (known && known->epoch != file.marked) {
    known->closed = true;
    if (!known->changed_in) known->changed_in = file.marked;
    known = nullptr;
  }
  if (known && offset < known->looked_at) drop(known);
  if (!known) {
    const bool new_bytes = !state.layers.empty() && state.layers.front().epoch == file.marked &&
                           (state.base.size == 0 || state.layers.front().limit == 0);
    if (!new_bytes || file.link != NodeState::kLinked || files_.contains(file.file) || !room_for_another()) return;
    known = std::make_shared<File>(file.file, file.marked, file.weak_from_this());
    files_[file.file] = known;
    if (!thread_.joinable()) thread_ = std::thread([this] { run(); });
  }
  known->written = ++writes_;
  if (known->closed || known->queued || state.size < known->cut + step_bytes_) return;
  known->queued = true;
  queue_.push_back(known);
  asked_or_done_.notify_all();
}

void CutAhead::changed(LiveNode& file) {
  if (!file.cut_ahead) return;
  Lock lock(mutex_);
  if (file.cut_ahead->epoch == file.marked) drop(file.cut_ahead);
  else if (!file.cut_ahead->changed_in) file.cut_ahead->changed_in = file.marked;
  file.cut_ahead->closed = true;
  file.cut_ahead = nullptr;
}

void CutAhead::carried(LiveNode& file, Epoch epoch) {
  if (!file.cut_ahead) return;
  Lock lock(mutex_);
  // one that is not of the file's present epoch has been changed since, which closed it
  if (file.cut_ahead->epoch == file.marked) file.cut_ahead->epoch = epoch;
}

void CutAhead::forget(FileId file) {
  Lock lock(mutex_);
  const auto found = files_.find(file);
  if (found == files_.end()) return;
  auto known = found->second;
  drop(known);
}

CutAhead::FilePtr CutAhead::known(FileId file) {
  Lock lock(mutex_);
  const auto found = files_.find(file);
  return found == files_.end() || found->second->changed_in ? nullptr : found->second;
}

std::uint64_t CutAhead::writes() {
  Lock lock(mutex_);
  return writes_;
}

void CutAhead::run() {
  pthread_setname_np(pthread_self(), "pfs-cut-ahead");
  mutex_.lock();
  while (!stopping_) {
    if (!flushes_.empty()) {
      flush_first();
    } else if (!queue_.empty()) {
      const auto file = std::move(queue_.front());
      queue_.pop_front();
      file->queued = false;
      if (file->closed) continue;
      file->stepping = true;
      mutex_.unlock();
      step(file);
      mutex_.lock();
      file->stepping = false;
      asked_or_done_.notify_all();
    } else {
      asked_or_done_.wait(mutex_);
    }
  }
  mutex_.unlock();
}

void CutAhead::flush_first() {
  const auto session = std::move(flushes_.front());
  flushes_.pop_front();
  const auto serves = session->asked;
  if (session->served < serves && !session->failed) {
    mutex_.unlock();
    const auto outcome = session->writer.flush();
    mutex_.lock();
    if (!outcome) give_up(*session, outcome.error());
  }
  session->served = serves;
  asked_or_done_.notify_all();
}

// One piece of a file. Its last bytes stay: a chunk is cut only where all that the cut may look at is there, and what was
// just written is what a program is likeliest to write over.
void CutAhead::step(const FilePtr& file) {
  const NodePtr node = file->node.lock();
  const StagingLog::Pin pin(staging_);
  std::vector<FileState::Piece> pieces;
  std::size_t length = 0;
  std::uint64_t from = 0;
  const auto still_as_it_was = [&]() PFS_REQUIRES(node->mutex) { return node->cut_ahead == file && node->marked == file->epoch; };
  if (!node || !staging_.has_plenty()) {
    Lock lock(mutex_);
    file->closed = true;
    return;
  }
  if (!may_be_committed_(*node)) {
    auto unwanted = file;
    Lock lock(mutex_);
    drop(unwanted);  // it takes no place of another's
    return;
  }
  {
    Lock file_lock(node->mutex);
    if (!still_as_it_was()) return;
    {
      Lock lock(mutex_);
      from = file->cut;
      if (file->closed || node->state.size < from + step_bytes_) return;
      length = static_cast<std::size_t>(std::min(node->state.size - from, step_bytes_ + Chunker::kMax));
      file->looked_at = from + length;
    }
    // the commit passes over a hole in no time, which here might be longer than what can ever be cut
    if (const auto next = node->state.piece_at(from); std::holds_alternative<std::monostate>(next.source) && next.length >= kHugeHole) {
      Lock lock(mutex_);
      file->closed = true;
      file->looked_at = file->cut;
      return;
    }
    pieces = node->state.pieces_of(from, length);
  }
  if (piece_.size() < length) piece_.resize(length);
  const auto bytes = std::string_view(piece_).substr(0, length);
  const auto got = read_pieces(pieces, staging_, contents_, from, std::as_writable_bytes(std::span(piece_).first(length)));
  if (!got || *got != length) return;  // the commit will read it again, and say so
  std::vector<std::uint32_t> lengths;
  std::size_t cut = 0;
  while (bytes.size() - cut >= Chunker::kMax) {
    lengths.push_back(static_cast<std::uint32_t>(Chunker::cut(bytes.substr(cut))));
    cut += lengths.back();
  }
  bool more = false;
  {
    // what was written over while it was read closed the file
    Lock file_lock(node->mutex);
    if (!still_as_it_was()) return;
    more = node->state.size >= from + cut + step_bytes_;
    Lock lock(mutex_);
    if (file->closed) return;
    file->cut = file->looked_at = from + cut;
    file->chunks += lengths.size();
    remembered_ += lengths.size();
    file->closed = remembered_ > kChunks;
  }
  auto stored = store(file, bytes, lengths);
  Lock lock(mutex_);
  if (!stored) return give_up(*session_, stored.error());
  if (!more || file->closed || file->queued) return;
  file->queued = true;
  queue_.push_back(file);
}

Result<void> CutAhead::store(const FilePtr& file, std::string_view bytes, const std::vector<std::uint32_t>& lengths) {
  auto session = [this] {
    Lock lock(mutex_);
    return session_;
  }();
  if (!session) {
    session = std::make_shared<Session>(objects_);  // with nothing held; nobody else makes one
    Lock lock(mutex_);
    session_ = session;
  }
  std::size_t begin = 0;
  for (std::size_t next = 0; next < lengths.size();) {
    File::Part part;
    std::size_t length = 0;
    for (; next < lengths.size() && length < kHandedOver; ++next) {
      length += lengths[next];
      part.lengths.push_back(lengths[next]);
    }
    PFS_TRY_ASSIGN(part.batch, session->writer.add_chunks(std::string(bytes.substr(begin, length)), part.lengths));
    begin += length;
    Lock lock(mutex_);
    if (file->cut > 0) file->parts.push_back(std::move(part));  // else it was forgotten meanwhile
  }
  return {};
}

// What was handed over may not be stored: all of it is forgotten, and who has taken of it is told.
void CutAhead::give_up(Session& session, const Error& error) {
  if (!session.failed) {
    spdlog::warn("big files are cut when they are committed, not while they are written: {}", error.message);
    session.failed = error;
  }
  if (session_.get() != &session) return;
  while (!files_.empty()) {
    auto file = files_.begin()->second;
    drop(file);
  }
  session_ = nullptr;
}

// Nothing is cut but what was written, and a piece counts only once it was looked at again under the file's mutex: so where no write
// was told of since `writes` was asked for, all that was cut had been written by then, and is what it was.
std::vector<CutChunk> CutAhead::take(FileId file, Epoch epoch, std::uint64_t writes, Sessions& used) {
  std::deque<File::Part> parts;
  std::shared_ptr<Session> session;
  {
    Lock lock(mutex_);
    const auto found = files_.find(file);
    if (found == files_.end() || found->second->epoch > epoch || found->second->written > writes) return {};
    auto known = found->second;
    known->closed = true;
    while (known->stepping) asked_or_done_.wait(mutex_);
    const bool as_it_was = known->written <= writes && (!known->changed_in || *known->changed_in > epoch);
    if (as_it_was) parts = std::move(known->parts);
    session = session_;
    drop(known);
  }
  std::vector<CutChunk> chunks;
  if (parts.empty()) return chunks;
  used.insert(session);
  std::uint64_t at = 0;
  for (const auto& part : parts) {
    const auto digests = session->writer.digests(part.batch);
    for (std::size_t i = 0; i < digests.size(); ++i) {
      chunks.push_back({at, part.lengths[i], digests[i]});
      at += part.lengths[i];
    }
  }
  return chunks;
}

Result<void> CutAhead::flush(const Sessions& used) {
  Lock lock(mutex_);
  for (const auto& session : used) {
    const auto mine = ++session->asked;
    flushes_.push_back(session);
    asked_or_done_.notify_all();
    while (session->served < mine) asked_or_done_.wait(mutex_);
    if (session->failed) return *session->failed;
  }
  return {};
}

}  // namespace pfs::store
