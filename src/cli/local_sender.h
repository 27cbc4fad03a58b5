#pragma once

#include <sys/stat.h>

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "api/client/files.h"
#include "base/result.h"
#include "cli/progress.h"
#include "cli/split.h"

namespace pfs::cli {

/// The mode and time that a local file or directory has in a branch.
client::Upload::Attributes attributes_of(const struct stat& found);

/// Sends local files, directories, URLs and stdin over one upload, with their modes and times.
///
/// What cannot be read is remembered, and the rest is only looked at from then on, so that one run
/// tells of everything that must be mended: ask outcome() before the upload is finished.
class LocalSender {
 public:
  struct Options {
    bool recursive = false;
    std::optional<SplitOptions> split;
    std::uint64_t first_split = 0;  ///< the number of the first file of a split
    bool counted = false;           ///< `progress` has been told what is to come
  };
  LocalSender(client::Upload& upload, Options options, Progress& progress);

  /// A file, a directory with what is below it, a URL or `-`. Errors: of the upload only.
  Result<void> send(const std::string& source, const RepoPath& target);
  /// A regular file that is there.
  Result<void> send_file(const std::string& source, const RepoPath& target);
  Result<void> send_symlink(const std::string& source, const RepoPath& target);
  /// Everything was read. Errors: the first failure's code, with all that failed.
  Result<void> outcome() const;

 private:
  using Data = std::function<Result<void>(std::string_view)>;

  /// `flags`: for open(2), besides O_RDONLY.
  Result<void> open_and_send(const std::string& source, const RepoPath& target, int flags);
  Result<void> send_open(int fd, const std::string& source, const RepoPath& target,
                         const client::Upload::Attributes& attributes);
  Result<void> send_url(const std::string& url, const RepoPath& target);
  Result<void> send_directory(const std::string& source, const RepoPath& target);
  /// What a directory holds: symlinks stay symlinks there.
  Result<void> send_entry(const std::string& source, const RepoPath& target);
  /// Begins the file, or the directory that it is split into, and has `read` pass its bytes on.
  Result<void> stream(const RepoPath& target, const client::Upload::Attributes& attributes,
                      const std::string& source,
                      const std::function<Result<void>(const Data&)>& read);
  Result<void> pass_on(std::string_view bytes);
  void fail(Error error) { failures_.push_back(std::move(error)); }

  client::Upload& upload_;
  const Options options_;
  Progress& progress_;
  std::string buffer_;
  std::vector<Error> failures_;
  bool upload_failed_ = false;  // the error that comes back is not the source's
};

}  // namespace pfs::cli
