#pragma once

#include <atomic>
#include <cstddef>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "store/ref_db.h"
#include "store/store.h"
#include "trigger/pipelines.h"

namespace pfs::test {

/// Time as a test says: a fixed moment, or one that moves on by a second whenever somebody asks.
class ArchiveClock final : public Clock {
 public:
  explicit ArchiveClock(std::int64_t second, bool ticks = false) : second_(second), ticks_(ticks) {}
  Timestamp now() const override {
    return Timestamp{(ticks_ ? second_.fetch_add(1) : second_.load()) * 1'000'000'000 + 123'456'789};
  }
  std::chrono::steady_clock::time_point steady() const override { return std::chrono::steady_clock::now(); }

 private:
  mutable std::atomic<std::int64_t> second_;
  const bool ticks_;
};

/// When an archived store is opened to be compared with its manifest: what the opening finishes is stamped with it.
inline constexpr std::int64_t kArchiveRead = 2'000'000'000;

/// When archives begin to be made.
inline constexpr std::int64_t kArchiveBegin = 1'700'000'000;

/// Bytes without a pattern, the same in every run.
std::string noise(std::string_view seed, std::size_t size);
/// Bytes that can be compressed.
std::string text(std::string_view seed, std::size_t size);

/// Everything that a store holds, as lines for a manifest: commits with their trees, oldest first, then branches with their
/// logs and live content, then how far listeners of events have come, what they are still to be told, and clients' transactions.
/// A tree is written out where it is first met.
/// Shape: each repo's lines together; an entry is `PATH KIND MODE UID GID MTIME CTIME SIZE SHA256`, then what else it has.
/// Throws with the store's words when something cannot be read.
std::vector<std::string> describe(store::Store& store);
/// `event SEQ KIND KEY VALUE`, as describe() has it.
std::string line_of(const store::RefEvent& event);
/// Pipelines and their jobs, oldest first.
std::vector<std::string> describe(trigger::Pipelines& pipelines);

/// Packs `directory`/store into an archive, and back. Throw.
void pack_archive(const std::string& directory, const std::string& file);
void unpack_archive(const std::string& file, const std::string& directory);

/// The pipeline of an archive: `upper` writes each file of text@master in upper case, and fails for a file called `bad`.
inline constexpr const char* kArchivePipeline = R"({
  "pipeline": {"name": "upper"}, "description": "louder",
  "transform": {"image": "image", "cmd": ["upper"], "env": {"GREETING": "hi"}}, "datum_tries": 1,
  "input": {"pfs": {"repo": "text", "glob": "/*"}}
})";

}  // namespace pfs::test
