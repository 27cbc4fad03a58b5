#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

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
  std::string link_target;  ///< symlinks, where they are asked for one by one
};

/// Takes what get() sends. An error ends the call, which returns it.
class FileSink {
 public:
  virtual ~FileSink() = default;
  /// A file, directory or symlink; parents before children.
  virtual Result<void> begin(const FileInfo& file) = 0;
  /// The next bytes of the file that began last.
  virtual Result<void> data(std::string_view bytes) = 0;
};

class Files {
 public:
  explicit Files(const Connection& connection) : connection_(connection) {}

  Result<FileInfo> inspect(const CommitRef& ref, const RepoPath& path) const;
  /// The entries of a directory in the order of their names' bytes; a file lists itself.
  Result<void> list(const CommitRef& ref, const RepoPath& path,
                    const std::function<Result<void>(const FileInfo&)>& visit) const;
  /// One file from `offset` on.
  Result<void> get(const CommitRef& ref, const RepoPath& path, std::uint64_t offset,
                   FileSink& sink) const;
  Result<void> get_all(const CommitRef& ref, const RepoPath& path, FileSink& sink) const;
  /// By reference. Returns the commit's id.
  Result<std::string> copy(const CommitRef& source, const RepoPath& source_path,
                           const BranchRef& target, const RepoPath& target_path) const;
  /// Returns the commit's id.
  Result<std::string> remove(const BranchRef& ref, const RepoPath& path) const;

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

  /// `append`: to files that are there; else they are replaced.
  Upload(const Connection& connection, const BranchRef& ref, bool append);
  ~Upload();
  Upload(const Upload&) = delete;
  Upload& operator=(const Upload&) = delete;

  Result<void> begin_file(const RepoPath& path, std::uint32_t mode);
  Result<void> directory(const RepoPath& path, std::uint32_t mode);
  Result<void> symlink(const RepoPath& path, const std::string& target);
  /// The next bytes of the file that began last.
  Result<void> data(std::string_view bytes);
  Result<Outcome> finish();

 private:
  struct Call;
  Result<void> flush();
  std::unique_ptr<Call> call_;
};

}  // namespace pfs::client
