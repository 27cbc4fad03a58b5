#pragma once

#include <string>
#include <string_view>
#include <utility>

namespace pfs {

/// What went wrong, in the domain's words. A closed list: every boundary maps all of it
/// (errno in fs/fuse/, gRPC status in api/, exit status in cli/) by a switch without `default`.
enum class Code {
  kNotFound,      ///< no such repo, branch, commit, path, pipeline, job
  kExists,        ///< it is there already
  kInvalid,       ///< a name, offset, flag or spec that cannot be one
  kNotDirectory,  ///< a path component is no directory
  kIsDirectory,   ///< a file was asked for and it is a directory
  kNotEmpty,      ///< a directory or branch that still holds entries
  kReadOnly,      ///< a finished commit, or the output branch of a pipeline
  kBusy,          ///< in use: opened by hand, being written, read by a pipeline
  kNotPermitted,  ///< never allowed, whoever asks (EPERM)
  kDenied,        ///< not allowed to this caller (EACCES)
  kNoSpace,       ///< the disk is full
  kQuota,         ///< a quota is used up
  kStale,         ///< the inode was orphaned: its branch points elsewhere now
  kCrossDevice,   ///< links and moves that cannot cross branches (EXDEV)
  kTooManyLinks,  ///< a file with as many names as it may have (EMLINK)
  kNameTooLong,   ///< a name over 255 bytes or a path over 4096
  kTooLarge,      ///< beyond what the format can hold
  kNoData,        ///< no such extended attribute
  kConflict,      ///< a compare-and-set lost; somebody else was first
  kUnavailable,   ///< not now; worth another try
  kCancelled,     ///< asked to stop
  kUnsupported,   ///< a feature that this store or kernel does not have
  kCorrupt,       ///< a checksum or a structure is wrong on disk
  kIo,            ///< the operating system reported an I/O error
  kInternal,      ///< a bug of ours
};

/// The name of a code, as it is written in logs: `not found`, `read-only`.
std::string_view name_of(Code code);

/// A code and a sentence for a person.
///
/// Messages are lower case, name the object, then the trouble, then what helps, without a full stop.
struct Error {
  Code code;
  std::string message;

  /// The same error with "`context`: " in front of its message.
  Error within(std::string_view context) && {
    message.insert(0, ": ").insert(0, context);
    return std::move(*this);
  }
};

/// Translates errno where it enters. Source: errno(3).
Code code_of_errno(int error_number);

/// An error from a failed system call: `what` names the object, e.g. "open /srv/store/LOCK".
Error error_from_errno(int error_number, std::string_view what);

}  // namespace pfs
