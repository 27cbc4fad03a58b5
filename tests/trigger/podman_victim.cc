// Makes a pipeline whose containers are a fake podman's, and waits to be killed: podman_victim DIRECTORY.

#include <unistd.h>

#include <cstdio>
#include <exception>

#include <spdlog/spdlog.h>

#include "trigger/fake_podman.h"

int main(int argc, char** argv) {
  spdlog::set_level(spdlog::level::critical);
  if (argc != 2) return 2;
  try {
    pfs::test::FakePodmanPfsd pfsd(argv[1]);
    pfsd.make_pipeline();
    while (true) ::pause();
  } catch (const std::exception& e) {
    std::fprintf(stderr, "podman_victim: %s\n", e.what());
    return 1;
  }
}
