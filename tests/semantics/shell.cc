#include "semantics/shell.h"

#include <sys/wait.h>

#include <array>
#include <cstdio>
#include <fstream>
#include <stdexcept>

namespace pfs::test {

Said sh(const Mounted& mounted, const std::string& script) {
  const std::string outside = mounted.store() + "-outside";
  const std::string file = mounted.store() + "-script";
  std::ofstream(file) << "mkdir -p '" << outside << "'\nexport LC_ALL=C P='" << mounted.mount() << "' T='" << outside
                      << "' PFS_ADDRESS='unix:" << mounted.socket() << "' PATH='" << PFS_BINARIES << "':$PATH\ncd '" << outside
                      << "'\n"
                      // a change becomes a commit now, and the shell knows it has
                      << "commit() { echo \"${2:-}\" > \"$P/$1/.pfs/commit\"; }\n"
                      << "head_of() { basename \"$(readlink \"$P/.pfs/heads/$1\")\" | sed 's/.*@//'; }\n"
                      << "errno_of() { LC_ALL=C \"$@\" 2>&1 >/dev/null | sed 's/.*: //'; }\n"
                      << script << "\n";
  FILE* pipe = ::popen(("timeout 60 sh -eu '" + file + "' 2>&1").c_str(), "r");
  if (pipe == nullptr) throw std::runtime_error("cannot start sh");
  Said said;
  std::array<char, 4096> buffer{};
  for (std::size_t got = 0; (got = ::fread(buffer.data(), 1, buffer.size(), pipe)) > 0;) said.text.append(buffer.data(), got);
  const int status = ::pclose(pipe);
  said.status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return said;
}

}  // namespace pfs::test
