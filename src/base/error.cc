#include "base/error.h"

#include <cerrno>
#include <system_error>

#include <fmt/format.h>

namespace pfs {

std::string_view name_of(Code code) {
  switch (code) {
    case Code::kNotFound: return "not found";
    case Code::kExists: return "exists";
    case Code::kInvalid: return "invalid";
    case Code::kNotDirectory: return "not a directory";
    case Code::kIsDirectory: return "is a directory";
    case Code::kNotEmpty: return "not empty";
    case Code::kReadOnly: return "read-only";
    case Code::kBusy: return "busy";
    case Code::kNotPermitted: return "not permitted";
    case Code::kDenied: return "denied";
    case Code::kNoSpace: return "no space";
    case Code::kQuota: return "quota";
    case Code::kStale: return "stale";
    case Code::kCrossDevice: return "cross-device";
    case Code::kTooManyLinks: return "too many links";
    case Code::kNameTooLong: return "name too long";
    case Code::kTooLarge: return "too large";
    case Code::kNoData: return "no data";
    case Code::kConflict: return "conflict";
    case Code::kUnavailable: return "unavailable";
    case Code::kCancelled: return "cancelled";
    case Code::kUnsupported: return "unsupported";
    case Code::kCorrupt: return "corrupt";
    case Code::kIo: return "i/o";
    case Code::kInternal: return "internal";
  }
  return "unknown";
}

Code code_of_errno(int error_number) {
  switch (error_number) {
    case ENOENT: return Code::kNotFound;
    case EEXIST: return Code::kExists;
    case EINVAL: return Code::kInvalid;
    case ENOTDIR: return Code::kNotDirectory;
    case EISDIR: return Code::kIsDirectory;
    case ENOTEMPTY: return Code::kNotEmpty;
    case EROFS: return Code::kReadOnly;
    case EBUSY: return Code::kBusy;
    case EPERM: return Code::kNotPermitted;
    case EACCES: return Code::kDenied;
    case ENOSPC: return Code::kNoSpace;
    case EDQUOT: return Code::kQuota;
    case ESTALE: return Code::kStale;
    case EXDEV: return Code::kCrossDevice;
    case EMLINK: return Code::kTooManyLinks;
    case ENAMETOOLONG: return Code::kNameTooLong;
    case EFBIG: return Code::kTooLarge;
    case ENODATA: return Code::kNoData;
    case EAGAIN: return Code::kUnavailable;
    case EINTR: return Code::kCancelled;
    case EOPNOTSUPP: return Code::kUnsupported;
    default: return Code::kIo;
  }
}

Error error_from_errno(int error_number, std::string_view what) {
  return Error{code_of_errno(error_number),
               fmt::format("{}: {}", what, std::generic_category().message(error_number))};
}

}  // namespace pfs
