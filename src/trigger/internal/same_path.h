#pragma once

namespace pfs::trigger {

/// What happens to files of the same path that several datums have put out.
enum class SamePath {
  kConcatenate,  ///< they are joined, in the order of the datums
  kError,        ///< the job fails
};

}  // namespace pfs::trigger
