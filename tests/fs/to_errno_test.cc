#include <cerrno>
#include <utility>

#include <catch2/catch.hpp>

#include "fs/fuse/to_errno.h"

using pfs::Code;
using pfs::fs::to_errno;

TEST_CASE("S70: a shell is told what the table of refusals says", "[fs]") {
  const std::pair<Code, int> table[] = {
      {Code::kReadOnly, EROFS}, {Code::kDenied, EACCES}, {Code::kNotFound, ENOENT},
      {Code::kInvalid, EINVAL}, {Code::kBusy, EBUSY},    {Code::kNoSpace, ENOSPC},
      {Code::kQuota, EDQUOT},   {Code::kCorrupt, EIO},   {Code::kNotPermitted, EPERM},
      {Code::kExists, EEXIST},  {Code::kStale, ESTALE},  {Code::kCrossDevice, EXDEV},
  };
  for (const auto& [code, number] : table) CHECK(to_errno(code) == number);
}
