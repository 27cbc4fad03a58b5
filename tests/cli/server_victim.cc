// A store with the API on it, until it is killed: server_victim STORE SOCKET. Says that it is ready on stdout.
#include <unistd.h>

#include <cstdio>

#include "api/server.h"
#include "base/clock.h"
#include "store/store.h"

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  pfs::SystemClock clock;
  pfs::store::StoreOptions options;
  options.path = argv[1];
  options.clock = &clock;
  options.automatic_commits = false;
  auto store = pfs::store::Store::open(options);
  if (!store) {
    std::fprintf(stderr, "%s\n", store.error().message.c_str());
    return 1;
  }
  if (const auto resumed = (*store)->resume(); !resumed) {
    std::fprintf(stderr, "%s\n", resumed.error().message.c_str());
    return 1;
  }
  pfs::api::ServerOptions server_options;
  server_options.socket_path = argv[2];
  server_options.store = store->get();
  server_options.version = "9.9.9";
  const auto server = pfs::api::Server::start(server_options);
  if (!server) {
    std::fprintf(stderr, "%s\n", server.error().message.c_str());
    return 1;
  }
  std::puts("ready");
  std::fflush(stdout);
  for (;;) ::pause();
}
