#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "store/local_db.h"
#include "store/tree_reader.h"
#include "trigger/internal/records.h"
#include "trigger/internal/spec.h"

namespace pfs::trigger {

/// A piece of a job's input that is processed by itself: what the glob matched.
struct Datum {
  RepoPath path;
  store::Entry entry;
  /// What makes two datums the same: SHA-256 over the input's name, the path, the entry's data digest, the pipeline's
  /// name and its salt. The image, the command and the commits are not in it, so that a new image alone does not
  /// process again what is done.
  Digest id;
};

/// The datums of a commit, in the order of their paths. Errors: kInvalid (the glob), kCorrupt, kIo.
/// Source: Pachyderm 1.13 "Datums"; docs/pipelines.md "Datums".
Result<std::vector<Datum>> list_datums(const store::TreeReader& reader, const store::Subtree& root,
                                       const PipelineSpec& spec, const std::string& salt);

/// What the datums of one pipeline (and salt) have put out, on this machine.
///
/// Records are kept back until what they name is durable: flush() syncs first and writes then, so a record never names
/// bytes that a power cut has taken. Used by one thread.
class DatumTable {
 public:
  DatumTable(store::LocalDb& local, const Clock& clock, const RepoName& pipeline, const std::string& salt);

  Result<std::optional<DatumRecord>> find(const Digest& datum) const;
  /// Flushes when the last time is 100 ms ago.
  Result<void> put(const Digest& datum, const DatumRecord& record);
  Result<void> flush();
  /// Forgets all of the pipeline's, under this salt.
  Result<void> erase_all();

 private:
  std::string key(const Digest& datum) const { return prefix_ + std::string(datum.bytes()); }

  store::LocalDb& local_;
  const Clock& clock_;
  std::string prefix_;  ///< 16 bytes
  store::LocalBatch pending_;
  std::chrono::steady_clock::time_point flushed_{};
};

}  // namespace pfs::trigger
