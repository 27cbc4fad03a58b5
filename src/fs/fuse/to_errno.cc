#include "fs/fuse/to_errno.h"

#include <cerrno>

namespace pfs::fs {

int to_errno(Code code) {
  switch (code) {
    case Code::kNotFound: return ENOENT;
    case Code::kExists: return EEXIST;
    case Code::kInvalid: return EINVAL;
    case Code::kNotDirectory: return ENOTDIR;
    case Code::kIsDirectory: return EISDIR;
    case Code::kNotEmpty: return ENOTEMPTY;
    case Code::kReadOnly: return EROFS;
    case Code::kBusy: return EBUSY;
    case Code::kNotPermitted: return EPERM;
    case Code::kDenied: return EACCES;
    case Code::kNoSpace: return ENOSPC;
    case Code::kQuota: return EDQUOT;
    case Code::kStale: return ESTALE;
    case Code::kCrossDevice: return EXDEV;
    case Code::kTooManyLinks: return EMLINK;
    case Code::kNameTooLong: return ENAMETOOLONG;
    case Code::kTooLarge: return EFBIG;
    case Code::kNoData: return ENODATA;
    case Code::kConflict:
    case Code::kUnavailable: return EAGAIN;
    case Code::kCancelled: return EINTR;
    case Code::kUnsupported: return EOPNOTSUPP;
    case Code::kCorrupt:
    case Code::kIo:
    case Code::kInternal: return EIO;
  }
  return EIO;
}

}  // namespace pfs::fs
