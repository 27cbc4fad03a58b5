#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "api/internal/refs.h"
#include "base/names.h"
#include "base/result.h"
#include "pfs/v1/file.pb.h"
#include "store/store.h"

namespace pfs::api {

using SendFile = std::function<Result<void>(const v1::FileInfo&)>;
using SendDifference = std::function<Result<void>(const v1::FileDifference&)>;
using SendVersion = std::function<Result<void>(const v1::FileVersion&)>;

/// What a listing tells of an entry.
v1::FileInfo file_info(const RepoPath& path, const store::Stat& stat);
v1::FileInfo file_info(const RepoPath& path, const store::Entry& entry);

/// Answers what is in trees: below a directory, by a pattern, by comparing, over time.
///
/// Made for one call. Where it must see a branch's live content as a finished tree, what is not
/// committed is stored first: the cost follows that.
class FileFinder {
 public:
  explicit FileFinder(store::Store& store) : store_(store), in_use_(store.trees().hold_objects()) {}

  /// What is below a directory, parents before children, in the order of names' bytes.
  Result<void> list_below(const store::NodePtr& directory, const RepoPath& path, bool checksum,
                          const SendFile& send);
  /// The node's digest goes into `info`, if it is a file.
  Result<void> add_checksum(const store::NodePtr& node, v1::FileInfo& info);
  Result<void> glob(const CommitRef& ref, const std::string& pattern, const SendFile& send);
  /// `old_file` not set: what was there before. Errors: kNotFound (neither has the path).
  Result<void> diff(const FileRef& new_file, const std::optional<FileRef>& old_file, bool shallow,
                    const SendDifference& send);
  /// `limit` 0: all. Errors: kNotFound (no version has it).
  Result<void> versions(const FileRef& file, std::uint64_t limit, const SendVersion& send);

 private:
  /// The whole tree of a ref, finished.
  Result<store::Subtree> finished(const CommitRef& ref);
  Result<std::optional<store::Entry>> entry_at(const store::Subtree& root, const RepoPath& path);
  /// The commit that a diff of `ref` with nothing else compares with; nullopt: there is none yet.
  Result<std::optional<store::Commit>> before(const CommitRef& ref);
  struct Sides {
    store::Subtree old_root;
    store::Subtree new_root;
    RepoPath old_path;
    RepoPath new_path;
    bool shallow = false;
  };
  Result<void> diff_sides(const Sides& sides, const SendDifference& send);
  Result<void> diff_below(const Digest& old_root, const Digest& new_root, const Sides& sides,
                          const SendDifference& send);

  store::Store& store_;
  const std::shared_ptr<void> in_use_;  // what open branches are compared as
};

}  // namespace pfs::api
