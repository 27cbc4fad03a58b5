// Changes a directory once more after a change in it was refused: refused_victim STORE fresh|committed finish|kill. The
// environment names the fault point that refuses the first bytes that are staged, those of a long symlink.
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <string>
#include <string_view>

#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "store/store.h"
#include "support/must.h"

namespace {

using namespace pfs;
using namespace pfs::store;

void run(const std::string& path, bool committed, bool finishes) {
  SystemClock clock;
  StoreOptions options;
  options.path = path;
  options.clock = &clock;
  options.automatic_commits = false;
  const auto opened = test::must(Store::open(options));
  auto& trees = opened->trees();
  const BranchRef ref = test::must(BranchRef::parse("data@master"));
  test::must(opened->catalog().create_branch(ref, std::nullopt, true));
  const auto tree = test::must(trees.branch(ref));
  NodePtr directory = trees.root(tree);
  MakeRequest request;
  if (committed) {
    request.kind = Kind::kDirectory;
    directory = test::must(trees.make(directory, "d", request));
    test::must(opened->catalog().finish(ref, {}));
  }
  request.kind = Kind::kSymlink;
  request.target = std::string(200, 't');
  const auto refused = trees.make(directory, "l", request);
  if (refused || refused.error().code != Code::kNoSpace) std::_Exit(3);

  request = {};
  const auto file = test::must(trees.make(directory, "f", request));
  test::must(trees.write(file, 0, as_bytes(std::string_view("acknowledged"))));
  test::must(trees.sync(file));
  if (finishes) test::must(opened->catalog().finish(ref, {}));
  ::kill(::getpid(), SIGKILL);
}

}  // namespace

int main(int argc, char** argv) try {
  if (argc != 4) return 2;
  run(argv[1], std::string_view(argv[2]) == "committed", std::string_view(argv[3]) == "finish");
  return 1;
} catch (const std::exception& failed) {
  std::fprintf(stderr, "refused_victim: %s\n", failed.what());
  return 1;
}
