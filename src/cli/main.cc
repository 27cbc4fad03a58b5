#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <exception>
#include <string>
#include <vector>

#include "cli/commands.h"
#include "cli/temporaries.h"

int main(int argc, char** argv) try {
  // the status that shells show for it, also where the parent is not a shell
  std::signal(SIGINT, [](int) {
    pfs::cli::remove_temporaries();
    _exit(130);
  });
  const std::string path = argc > 0 ? argv[0] : "pfs";
  const std::vector<std::string> arguments(argv + (argc > 0 ? 1 : 0), argv + argc);
  return pfs::cli::run(path.substr(path.rfind('/') + 1), arguments);
} catch (const std::exception& error) {
  std::fprintf(stderr, "pfs: %s\n", error.what());  // out of memory, or a bug
  return 1;
}
