// Small commits' tree nodes in the database first, in packs later: what a commit costs, what a packer saves.
// Usage: hot_packer DIRECTORY [COMMITS]
//
// A tree of 4,681 directories (fan-out 8, depth 5) of 60 files each. A commit changes one file at the bottom, so one
// node of each of five directories; its objects and six refs are on disk after one sync of the log. A packer moves the
// `hot` rows in bulk into frames of one directory's versions side by side.

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <map>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include <boost/filesystem.hpp>
#include <rocksdb/db.h>
#include <rocksdb/write_batch.h>

#include "base/codec.h"
#include "base/file.h"
#include "store/pack/pack_format.h"
#include "store/refs/rocks_db.h"
#include "store/refs/rocks_local_db.h"
#include "store/refs/rocks_ref_db.h"
#include "store/tree/node.h"

namespace pfs::store {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t kFanOut = 8;
constexpr std::size_t kDepth = 5;
constexpr std::size_t kFiles = 60;
constexpr int kSyncedCommits = 5000;
constexpr std::size_t kTurn = std::size_t{64} << 20U;  // bytes of hot rows that a packer's turn takes

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

template <class T>
T check(Result<T> result) {
  if (!result) {
    std::fprintf(stderr, "hot_packer: %s\n", result.error().message.c_str());
    std::exit(1);
  }
  if constexpr (!std::is_void_v<T>) return std::move(result).value();
}

/// A directory that fits one node: `children` further ones are entries among its files.
struct Directory {
  std::uint64_t owner = 0;
  LeafNode node;
};

class Directories {
 public:
  Directories() {
    std::size_t width = 1;
    for (std::size_t level = 0; level < kDepth; ++level, width *= kFanOut) {
      for (std::size_t i = 0; i < width; ++i) all_.push_back(make(all_.size(), level + 1 < kDepth));
    }
    bottom_ = all_.size() - width / kFanOut;
  }

  /// Changes one file of a random bottom directory and the entries above it; gives the five new nodes, deepest first.
  template <class Visit>
  void change(const Visit& visit) {
    std::size_t at = bottom_ + random_() % (all_.size() - bottom_);
    auto& file = all_[at].node.entries[random_() % kFiles];
    touch(file);
    file.content.digest = random_digest();
    for (;;) {
      const std::string bytes = all_[at].node.encode();
      visit(all_[at].owner, bytes);
      if (at == 0) return;
      const std::size_t child = (at - 1) % kFanOut;
      at = (at - 1) / kFanOut;
      auto& entry = all_[at].node.entries[kFiles + child];
      touch(entry);
      entry.subtree.root = node_digest(bytes);
      entry.subtree.data_digest = random_digest();
      entry.subtree.totals.bytes += 1;
    }
  }

 private:
  Digest random_digest() {
    Digest digest;
    for (auto& byte : digest.array()) byte = static_cast<std::uint8_t>(random_());
    return digest;
  }

  void touch(Entry& entry) {
    now_ += 1'000'000'000;
    entry.attributes.mtime = entry.attributes.ctime = Timestamp{now_};
  }

  Directory make(std::size_t owner, bool has_children) {
    Directory directory;
    directory.owner = owner;
    for (std::size_t i = 0; i < kFiles + (has_children ? kFanOut : 0); ++i) {
      Entry entry;
      char name[32];
      std::snprintf(name, sizeof name, i < kFiles ? "frame_%05zu.jpg" : "part_%05zu", i * 17);
      entry.name = name;
      entry.attributes.kind = i < kFiles ? Kind::kFile : Kind::kDirectory;
      entry.attributes.mode = i < kFiles ? 0644 : 0755;
      touch(entry);
      if (i < kFiles) {
        entry.content.form = Content::Form::kChunk;
        entry.content.size = random_() % 200'000;
        entry.content.digest = random_digest();
      } else {
        entry.subtree = {random_digest(), random_digest(), {kFiles, 5'000'000, 0}};
      }
      directory.node.entries.push_back(std::move(entry));
    }
    return directory;
  }

  std::mt19937_64 random_{1};
  std::int64_t now_ = 1'700'000'000'000'000'000;
  std::vector<Directory> all_;
  std::size_t bottom_ = 0;
};

std::string hot_key(const Digest& digest) {
  return Encoder().u32(0).u8(static_cast<std::uint8_t>(ObjectKind::kNode)).raw(digest.bytes()).str();
}

class Commits {
 public:
  Commits(RocksDatabase& database, RocksRefDb& refs, LocalDb& local) : database_(database), refs_(refs), local_(local) {}

  void synced() {
    write_objects();
    check(refs_.commit(transaction()));
  }

  /// The same rows without the sync, for bulk.
  void unsynced() {
    write_objects();
    rocksdb::WriteBatch batch;
    for (const auto& put : transaction().put) batch.Put(database_.family(RocksFamily::kRef), "V" + put.key, put.value);
    check(database_.write(batch));
  }

  std::size_t count() const { return count_; }
  std::size_t raw_bytes() const { return raw_bytes_; }

 private:
  void write_objects() {
    ++count_;
    LocalBatch batch;
    directories_.change([&](std::uint64_t owner, const std::string& bytes) {
      raw_bytes_ += bytes.size();
      batch.put(Family::kHot, hot_key(node_digest(bytes)), Encoder().u64(owner).u64(count_).raw(bytes).str());
    });
    check(local_.write(batch));
  }

  RefTxn transaction() const {
    const auto number = std::to_string(count_);
    RefTxn txn;
    txn.id = "finish/" + number;
    const std::string record(180, 'c');
    for (const auto* key : {"repo/data", "branch/data/master", "gc"}) txn.put.push_back({key, record.substr(0, 90)});
    txn.put.push_back({"commit/" + number, record});
    txn.put.push_back({"of/data/" + number, ""});
    txn.put.push_back({"blog/data/master/" + number, record.substr(0, 60)});
    txn.events.push_back({Seq(), "head", "data@master", record.substr(0, 60)});
    return txn;
  }

  RocksDatabase& database_;
  RocksRefDb& refs_;
  LocalDb& local_;
  Directories directories_;
  std::size_t count_ = 0;
  std::size_t raw_bytes_ = 0;
};

struct HotObject {
  std::string key;
  std::uint64_t owner = 0;
  std::uint64_t when = 0;
  std::string bytes;
};

std::vector<FrameObject> frame_objects(const HotObject* begin, const HotObject* end) {
  std::vector<FrameObject> objects;
  for (const auto* object = begin; object != end; ++object) {
    objects.push_back({{ObjectKind::kNode, Digest::from_bytes(std::string_view(object->key).substr(5))}, object->bytes});
  }
  return objects;
}

/// Calls `visit(begin, end)` for each run of objects whose bytes make up a frame.
template <class Visit>
void for_each_frame(const std::vector<HotObject>& objects, std::size_t frame_size, const Visit& visit) {
  for (std::size_t begin = 0; begin < objects.size();) {
    std::size_t end = begin;
    std::size_t raw = 0;
    while (end < objects.size() && (end == begin || raw + objects[end].bytes.size() <= frame_size)) raw += objects[end++].bytes.size();
    visit(objects.data() + begin, objects.data() + end);
    begin = end;
  }
}

class Packer {
 public:
  Packer(LocalDb& local, std::string directory) : local_(local), directory_(std::move(directory)) {
    file_ = check(File::open(directory_ + "/1.pack", O_RDWR | O_CREAT | O_TRUNC));
  }

  /// Moves everything that is in `hot`, about kTurn at a time, into the pack.
  void run() {
    const auto start = Clock::now();
    std::string after;
    for (;;) {
      auto objects = take(after);
      if (objects.empty()) break;
      after = objects.back().key;
      std::sort(objects.begin(), objects.end(), [](const HotObject& a, const HotObject& b) {
        return std::tie(a.owner, a.when) < std::tie(b.owner, b.when);
      });
      move(objects);
    }
    seconds_ += seconds_since(start);
  }

  /// What one turn's objects would take in frames of several sizes, in two orders and at two levels.
  void compare() {
    std::string after;
    const auto by_digest = take(after);
    auto by_owner = by_digest;
    std::sort(by_owner.begin(), by_owner.end(), [](const HotObject& a, const HotObject& b) {
      return std::tie(a.owner, a.when) < std::tie(b.owner, b.when);
    });
    auto owner_only = by_digest;  // as they come from the database: by owner, then by digest
    std::stable_sort(owner_only.begin(), owner_only.end(),
                     [](const HotObject& a, const HotObject& b) { return a.owner < b.owner; });
    std::printf("\n| frame KiB | level | by digest | by directory | by directory and time | MiB/s |\n|---|---|---|---|---|---|\n");
    for (const std::size_t frame : {64, 128, 256}) {
      for (const int level : {1, 3}) {
        double seconds = 0;
        std::size_t raw = 0;
        const auto per_object = [&](const std::vector<HotObject>& objects) {
          std::size_t stored = 0;
          raw = 0;
          const auto start = Clock::now();
          for_each_frame(objects, frame << 10U, [&](const HotObject* begin, const HotObject* end) {
            stored += encode_frame(frame_objects(begin, end), 1, level).size();
          });
          seconds = seconds_since(start);
          for (const auto& object : objects) raw += object.bytes.size();
          return static_cast<double>(stored) / static_cast<double>(objects.size());
        };
        const double digest = per_object(by_digest);
        const double owner = per_object(owner_only);
        const double time = per_object(by_owner);
        std::printf("| %zu | %d | %.0f | %.0f | %.0f | %.0f |\n", frame, level, digest, owner, time,
                    static_cast<double>(raw) / seconds / (1 << 20));
      }
    }
    std::printf("(bytes an object, table included; %zu objects of %.0f B)\n", by_digest.size(),
                static_cast<double>(bytes_of(by_digest)) / static_cast<double>(by_digest.size()));
  }

  std::size_t packed_bytes() const { return offset_; }
  std::size_t raw_bytes() const { return raw_; }
  double seconds() const { return seconds_; }

 private:
  static std::size_t bytes_of(const std::vector<HotObject>& objects) {
    std::size_t bytes = 0;
    for (const auto& object : objects) bytes += object.bytes.size();
    return bytes;
  }

  std::vector<HotObject> take(const std::string& after) {
    std::vector<HotObject> objects;
    std::size_t bytes = 0;
    check(local_.scan(Family::kHot, after.empty() ? after : after + '\0', "", [&](std::string_view key, std::string_view value) {
      Decoder in(value);
      HotObject object;
      object.key = key;
      object.owner = in.u64();
      object.when = in.u64();
      object.bytes = in.raw(in.left());
      bytes += object.bytes.size();
      objects.push_back(std::move(object));
      return bytes < kTurn;
    }));
    return objects;
  }

  void move(const std::vector<HotObject>& objects) {
    LocalBatch batch;
    for_each_frame(objects, std::size_t{128} << 10U, [&](const HotObject* begin, const HotObject* end) {
      const auto frame = encode_frame(frame_objects(begin, end), ++sequence_, 3);
      check(file_.write_at(offset_, as_bytes(frame)));
      std::uint32_t inner = 0;
      for (const auto* object = begin; object != end; ++object) {
        Location location;
        location.pack = PackNumber(1);
        location.frame_offset = static_cast<std::uint32_t>(offset_);
        location.frame_length = static_cast<std::uint32_t>(frame.size());
        location.inner = inner;
        location.length = static_cast<std::uint32_t>(object->bytes.size());
        inner += location.length;
        raw_ += object->bytes.size();
        batch.put(Family::kIndex, object->key, location.encode());
        batch.erase(Family::kHot, object->key);
      }
      offset_ += frame.size();
    });
    check(file_.sync_data());
    // in pieces, so that a synced commit behind one of them waits for little
    LocalBatch piece;
    for (auto& change : batch.changes) {
      piece.changes.push_back(std::move(change));
      if (piece.changes.size() >= 512) {
        check(local_.write(piece));
        piece.changes.clear();
      }
    }
    check(local_.write(piece));
  }

  LocalDb& local_;
  std::string directory_;
  File file_;
  std::uint64_t sequence_ = 0;
  std::uint64_t offset_ = 0;
  std::size_t raw_ = 0;
  double seconds_ = 0;
};

void print_latencies(const char* what, std::vector<double> milliseconds) {
  std::sort(milliseconds.begin(), milliseconds.end());
  const auto at = [&](double share) {
    return milliseconds[static_cast<std::size_t>(share * static_cast<double>(milliseconds.size() - 1))];
  };
  std::printf("| %s | %zu | %.3f | %.3f | %.3f | %.3f |\n", what, milliseconds.size(), at(0.5), at(0.9), at(0.99), at(1));
}

template <class KeepGoing>
std::vector<double> timed_commits(Commits& commits, const KeepGoing& keep_going) {
  std::vector<double> milliseconds;
  while (keep_going(milliseconds.size())) {
    const auto start = Clock::now();
    commits.synced();
    milliseconds.push_back(1000 * seconds_since(start));
  }
  return milliseconds;
}

std::size_t directory_size(const std::string& path) {
  std::size_t bytes = 0;
  for (const auto& entry : boost::filesystem::recursive_directory_iterator(path)) {
    if (boost::filesystem::is_regular_file(entry)) bytes += boost::filesystem::file_size(entry);
  }
  return bytes;
}

void compact(RocksDatabase& database) {
  for (const auto family : {RocksFamily::kHot, RocksFamily::kIndex, RocksFamily::kRef, RocksFamily::kEvent}) {
    database.db().CompactRange(rocksdb::CompactRangeOptions(), database.family(family), nullptr, nullptr);
  }
}

std::uint64_t family_size(RocksDatabase& database, RocksFamily family) {
  std::uint64_t bytes = 0;
  database.db().GetIntProperty(database.family(family), rocksdb::DB::Properties::kTotalSstFilesSize, &bytes);
  return bytes;
}

void main_of_experiment(const std::string& directory, std::size_t wanted) {
  const auto database = check(RocksDatabase::open(directory + "/db"));
  const auto refs = check(RocksRefDb::open(*database));
  RocksLocalDb local(*database);
  Commits commits(*database, *refs, local);
  Packer packer(local, directory);

  std::printf("| synced commits, ms | n | p50 | p90 | p99 | max |\n|---|---|---|---|---|---|\n");
  auto alone = timed_commits(commits, [](std::size_t done) { return done < kSyncedCommits; });
  print_latencies("alone", std::move(alone));
  for (std::size_t i = 0; i < 10'000; ++i) commits.unsynced();  // so that the packer has something to do for a while
  std::atomic<bool> packing = true;
  std::thread thread([&] {
    packer.run();
    packing = false;
  });
  auto beside = timed_commits(commits, [&](std::size_t) { return packing.load(); });
  thread.join();
  print_latencies("beside the packer", std::move(beside));
  std::printf("\npacker: %.0f MiB raw at %.0f MiB/s\n", static_cast<double>(packer.raw_bytes()) / (1 << 20),
              static_cast<double>(packer.raw_bytes()) / packer.seconds() / (1 << 20));

  packer.run();
  std::size_t last_raw = commits.raw_bytes();
  bool compared = false;
  while (commits.count() < wanted) {
    commits.unsynced();
    if (commits.raw_bytes() - last_raw < kTurn) continue;
    last_raw = commits.raw_bytes();
    if (!compared) packer.compare();
    compared = true;
    packer.run();
  }
  packer.run();
  compact(*database);

  const auto per_commit = [&](std::size_t bytes) { return static_cast<double>(bytes) / static_cast<double>(commits.count()); };
  std::printf("\n| after %zu commits | B a commit |\n|---|---|\n", commits.count());
  std::printf("| nodes, raw, as they lie in `hot` | %.0f |\n", per_commit(commits.raw_bytes()));
  std::printf("| nodes in packs | %.0f |\n", per_commit(packer.packed_bytes()));
  std::printf("| index rows | %.0f |\n", per_commit(family_size(*database, RocksFamily::kIndex)));
  std::printf("| `hot` left behind | %.0f |\n", per_commit(family_size(*database, RocksFamily::kHot)));
  std::printf("| refs and events | %.0f |\n", per_commit(family_size(*database, RocksFamily::kRef) + family_size(*database, RocksFamily::kEvent)));
  std::printf("| the database's directory, log included | %.0f |\n", per_commit(directory_size(directory + "/db")));
  std::printf("packer over all: %.0f MiB/s raw\n", static_cast<double>(packer.raw_bytes()) / packer.seconds() / (1 << 20));
}

}  // namespace
}  // namespace pfs::store

int main(int argc, char** argv) {
  if (argc < 2) {
    std::fprintf(stderr, "usage: hot_packer DIRECTORY [COMMITS]\n");
    return 2;
  }
  boost::filesystem::create_directories(argv[1]);
  pfs::store::main_of_experiment(argv[1], argc > 2 ? std::stoul(argv[2]) : 100'000);
}
