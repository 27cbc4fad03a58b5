#include <pthread.h>

#include <thread>

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "base/sync.h"
#include "store/events.h"
#include "store/refs/records.h"

namespace pfs::store {

namespace {

constexpr std::size_t kBatch = 256;
constexpr std::chrono::milliseconds kLook{200};        // how soon the end of the feed is noticed
constexpr std::chrono::milliseconds kTryAgain{1000};
constexpr std::chrono::milliseconds kSaveEvery{1000};  // a kill tells at most this much again

class Feed final : public EventFeed {
 public:
  Feed(RefDb& refs, std::string key, EventListener listener) : refs_(refs), key_(std::move(key)), listener_(std::move(listener)) {}

  ~Feed() override {
    {
      Lock lock(mutex_);
      stopping_ = true;
    }
    stopping_changed_.notify_all();
    if (thread_.joinable()) thread_.join();
    if (auto saved = save(); !saved) spdlog::warn("{}: events will be told again: {}", key_, saved.error().message);
  }

  Result<void> begin(EventStart from) {
    PFS_TRY_ASSIGN(const auto row, refs_.get(key_));
    Seq at;
    if (row) {
      PFS_TRY_ASSIGN(at, decode_cursor(row->value));
    } else if (from == EventStart::kNow) {
      // a transaction of our own is later than all there are
      RefTxn txn;
      txn.put.push_back({key_, encode_cursor(Seq())});
      PFS_TRY_ASSIGN(at, refs_.commit(std::move(txn)));
    }
    {
      Lock lock(mutex_);
      position_ = at;
    }
    if (!row) PFS_TRY(save());
    saved_ = at;
    thread_ = std::thread([this] { run(); });
    return {};
  }

  Seq position() const override {
    Lock lock(mutex_);
    return position_;
  }

 private:
  Result<void> save() {
    const Seq at = position();
    if (at == saved_) return {};
    RefTxn txn;
    txn.put.push_back({key_, encode_cursor(at)});
    PFS_TRY(refs_.commit(std::move(txn)));
    saved_ = at;
    return {};
  }

  bool pause(std::chrono::milliseconds time) {
    Lock lock(mutex_);
    if (!stopping_) stopping_changed_.wait_for(mutex_, time);
    return !stopping_;
  }

  bool stopping() const {
    Lock lock(mutex_);
    return stopping_;
  }

  void run() {
    pthread_setname_np(pthread_self(), "pfs-events");
    auto last_save = std::chrono::steady_clock::now();
    while (!stopping()) {
      const auto told = tell();
      if (!told) {
        spdlog::warn("{}: {}; told again later", key_, told.error().message);
        if (!pause(kTryAgain)) return;
        continue;
      }
      const auto now = std::chrono::steady_clock::now();
      if (now - last_save < kSaveEvery) continue;
      last_save = now;
      if (auto saved = save(); !saved) spdlog::warn("{}: {}", key_, saved.error().message);
    }
  }

  Result<void> tell() {
    PFS_TRY_ASSIGN(const auto events, refs_.events(position(), kBatch, kLook));
    if (events.empty()) return {};
    PFS_TRY(listener_(events));
    Lock lock(mutex_);
    position_ = events.back().seq;
    return {};
  }

  RefDb& refs_;
  const std::string key_;
  const EventListener listener_;
  mutable Mutex mutex_{LockRank::kLeaf};
  Condition stopping_changed_;
  bool stopping_ PFS_GUARDED_BY(mutex_) = false;
  Seq position_ PFS_GUARDED_BY(mutex_);
  Seq saved_;  // the thread's, and before and after it
  std::thread thread_;
};

}  // namespace

Result<std::unique_ptr<EventFeed>> EventFeed::start(RefDb& refs, const std::string& name, EventStart from, EventListener listener) {
  PFS_TRY(RepoName::parse(name));
  auto feed = std::make_unique<Feed>(refs, "cursor/" + name, std::move(listener));
  PFS_TRY(feed->begin(from));
  return std::unique_ptr<EventFeed>(std::move(feed));
}

}  // namespace pfs::store
