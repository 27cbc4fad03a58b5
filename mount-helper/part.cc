#include "mount-helper/part.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <cerrno>
#include <cstring>

namespace pfs::mount_helper {

int fail(const std::string& trouble) {
  complain(trouble);
  return kFailed;
}

// Source: openat2(2).
Descriptor open_part(const Request& request, const Mount& whole) {
  constexpr int kAttempts = 100;
  const Descriptor top(open(whole.point.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!top) return Descriptor(-1);
  const std::string part = request.part.empty() ? "." : request.part;
  open_how how{};
  how.flags = O_PATH | O_DIRECTORY | O_CLOEXEC;
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV;
  long fd = -1;
  // EAGAIN: something was renamed meanwhile
  for (int i = 0;
       i < kAttempts && (fd = syscall(SYS_openat2, top.get(), part.c_str(), &how, sizeof how)) < 0 &&
       errno == EAGAIN;
       ++i) {
  }
  return Descriptor(static_cast<int>(fd));
}

int refuse_part(const Request& request, const Mount& whole, int trouble) {
  const std::string branch = whole.point + "/" + request.part.substr(0, request.part.find('/'));
  switch (trouble) {
    case ENOENT: {
      struct stat about {};
      if (lstat(branch.c_str(), &about) == 0)
        return fail(request.spec + ": no such directory; `ls " + branch +
                    "` shows those that there are");
      return fail(request.spec + ": no such branch or commit; `ls " + whole.point +
                  "` shows the branches, and `mkdir " + branch + "` makes one");
    }
    case ENOTDIR:
      return fail(request.spec + ": not a directory, so it cannot be mounted; choose one");
    case EXDEV:
      return fail(request.spec +
                  ": a symlink in it leads out of the store; name the directory itself");
    default: return fail(request.spec + ": " + std::strerror(trouble));
  }
}

}  // namespace pfs::mount_helper
