#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "api/client/connection.h"
#include "base/clock.h"
#include "base/names.h"
#include "base/result.h"

namespace pfs::client {

enum class FileKind { kFile, kDirectory, kSymlink, kOther };

struct FileInfo {
  std::string path;  ///< from the root of the branch: `/a/b`; any bytes
  FileKind kind = FileKind::kFile;
  std::uint64_t size = 0;  ///< of a directory, what is below it
  std::uint32_t mode = 0;
  Timestamp modified;
  std::string link_target;     ///< symlinks, where they are asked for one by one or recursively
  std::string sha256;          ///< 32 bytes, where it was asked for
  std::uint64_t children = 0;  ///< names in a directory, where it is asked for by itself
};

/// Two versions of a path, or of two paths that were compared.
struct FileDifference {
  std::optional<FileInfo> before;  ///< not set: it was added
  std::optional<FileInfo> after;   ///< not set: it was removed
  std::string old_commit;          ///< where `before` is, when the daemon was left to choose it
};

struct FileVersion {
  std::string commit;
  Timestamp committed;
  std::optional<FileInfo> file;  ///< not set: that commit removed it
};

enum class ListDepth { kNames, kAll, kAllWithChecksums };

using FileVisit = std::function<Result<void>(const FileInfo&)>;

/// Takes what get() sends. An error ends the call, which returns it.
class FileSink {
 public:
  virtual ~FileSink() = default;
  /// A file, directory or symlink; parents before children.
  virtual Result<void> begin(const FileInfo& file) = 0;
  /// The next bytes of the file that began last.
  virtual Result<void> data(std::string_view bytes) = 0;
};

/// Whether all of a file has come. Errors: kConflict (`missing` bytes have not: it was made shorter while it was read).
Result<void> check_whole(const std::string& name, std::uint64_t missing);

/// What a branch has now, as everything is named that can be looked at.
inline CommitRef live_of(const BranchRef& branch) { return {branch.repo, branch.branch, {}, {}}; }

class Files {
 public:
  explicit Files(const Connection& connection) : connection_(connection) {}

  Result<FileInfo> inspect(const CommitRef& ref, const RepoPath& path) const;
  /// The entries of a directory in the order of their names' bytes; a file lists itself. With
  /// kAll what is below it, parents before children.
  Result<void> list(const CommitRef& ref, const RepoPath& path, ListDepth depth,
                    const FileVisit& visit) const;
  /// What matches, in the order of paths. Errors: kInvalid (names the place in the pattern).
  Result<void> glob(const CommitRef& ref, const std::string& pattern, const FileVisit& visit) const;
  struct Place {
    CommitRef ref;
    RepoPath path;
  };
  /// `old_place` not set: what was there before the newest change. `shallow`: one directory's
  /// names.
  Result<void> diff(const Place& new_place, const std::optional<Place>& old_place, bool shallow,
                    const std::function<Result<void>(const FileDifference&)>& visit) const;
  /// Newest first, up to `limit`; 0: all.
  Result<void> versions(const CommitRef& ref, const RepoPath& path, std::uint64_t limit,
                        const std::function<Result<void>(const FileVersion&)>& visit) const;
  /// One file from `offset` on.
  Result<void> get(const CommitRef& ref, const RepoPath& path, std::uint64_t offset,
                   FileSink& sink) const;
  Result<void> get_all(const CommitRef& ref, const RepoPath& path, FileSink& sink) const;
  /// Whole files, one after another; at least one.
  Result<void> get_each(const CommitRef& ref, const std::vector<RepoPath>& paths,
                        FileSink& sink) const;
  /// By reference. `target`: a branch, or its open commit by its id. `overwrite`: a directory, too.
  /// Returns the commit's id. Errors: kReadOnly (a finished commit).
  Result<std::string> copy(const Place& source, const CommitRef& target,
                           const RepoPath& target_path, bool overwrite) const;
  Result<std::string> copy(const Place& source, const BranchRef& target,
                           const RepoPath& target_path, bool overwrite) const {
    return copy(source, live_of(target), target_path, overwrite);
  }
  /// All of them (at least one) or none. Returns the commit's id. Errors: as copy().
  Result<std::string> remove(const CommitRef& ref, const std::vector<RepoPath>& paths) const;
  Result<std::string> remove(const BranchRef& ref, const std::vector<RepoPath>& paths) const {
    return remove(live_of(ref), paths);
  }

 private:
  const Connection& connection_;
};

/// Files on their way into a branch: nothing of them is seen before finish(), and nothing at all
/// without it.
class Upload {
 public:
  struct Outcome {
    std::string commit;  ///< that was made, or that is open and holds the files
    std::uint64_t files = 0;
    std::uint64_t bytes = 0;
  };

  struct Options {
    bool append = false;           ///< to files that are there; else they are replaced
    bool set_directories = false;  ///< those that are there get the mode and time of ours
  };
  /// `ref`: a branch, or its open commit by its id.
  Upload(const Connection& connection, const CommitRef& ref, const Options& options);
  Upload(const Connection& connection, const BranchRef& ref, const Options& options)
      : Upload(connection, live_of(ref), options) {}
  ~Upload();
  Upload(const Upload&) = delete;
  Upload& operator=(const Upload&) = delete;

  struct Attributes {
    std::uint32_t mode = 0644;
    std::optional<Timestamp> modified;  ///< not set: now
  };
  Result<void> begin_file(const RepoPath& path, const Attributes& attributes);
  /// Once more behind what is in it, for its time to stay.
  Result<void> directory(const RepoPath& path, const Attributes& attributes);
  Result<void> symlink(const RepoPath& path, const std::string& target,
                       std::optional<Timestamp> modified);
  /// What the branch has there stays, with these attributes.
  Result<void> keep(const RepoPath& path, const Attributes& attributes);
  /// What the branch has there goes, with all below it, before anything that is put comes.
  Result<void> remove(const RepoPath& path);
  /// The next bytes of the file that began last.
  Result<void> data(std::string_view bytes);
  Result<Outcome> finish();

 private:
  struct Call;
  Result<void> start(const RepoPath& path, const Attributes& attributes);
  Result<void> flush();
  std::unique_ptr<Call> call_;
};

}  // namespace pfs::client
