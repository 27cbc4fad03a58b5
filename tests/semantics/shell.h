#pragma once

#include <string>

#include "support/mounted.h"

namespace pfs::test {

/// What a shell said: its exit status, and stdout and stderr together.
struct Said {
  int status = 0;
  std::string text;
};

/// Runs `script` with sh(1) -eu, in C locale, with $P the mount, $T a directory outside of it and the daemon's socket in
/// PFS_ADDRESS: what a person would type. A command that hangs is ended after a minute.
Said sh(const Mounted& mounted, const std::string& script);

}  // namespace pfs::test

/// The script ends with success; what it said is shown otherwise.
#define REQUIRE_SH(mounted, script)                                   \
  do {                                                                \
    const auto said_here = ::pfs::test::sh((mounted), (script));      \
    INFO("script: " << (script) << "\nsaid: " << said_here.text);     \
    REQUIRE(said_here.status == 0);                                   \
  } while (false)
