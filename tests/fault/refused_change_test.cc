// A change that is refused halfway: what is acknowledged after it in the same directory is kept.
#include <catch2/catch.hpp>

#include <csignal>
#include <span>
#include <string>

#include "base/clock.h"
#include "store/store.h"
#include "support/child.h"
#include "support/must.h"
#include "support/temporary_directory.h"

namespace pfs::test {
namespace {

using namespace pfs::store;

std::string text(LiveTrees& trees, const NodePtr& root, const std::string& path) {
  const auto node = trees.walk(root, must(RepoPath::parse(path)));
  if (!node) return "(none)";
  std::string bytes(must(trees.stat(*node)).size, '\0');
  bytes.resize(must(trees.read(*node, 0, std::as_writable_bytes(std::span(bytes)))));
  return bytes;
}

}  // namespace

TEST_CASE("a file that is made after a change in its directory was refused is in the commit and there after a kill", "[store][fault]") {
  const bool committed = GENERATE(false, true);  // the directory, or nothing of the branch yet
  const bool finishes = GENERATE(false, true);
  INFO("committed " << committed << ", finishes " << finishes);
  const TemporaryDirectory directory;
  StoreOptions options;
  options.path = directory / "store";
  const auto end = run_child({PFS_REFUSED_VICTIM, options.path, committed ? "committed" : "fresh", finishes ? "finish" : "kill"},
                             {"PFS_FAULT=store.staging.append:nospace:1"});
  INFO("it exited with " << end.status);
  REQUIRE(end.signal == SIGKILL);

  SystemClock clock;
  options.clock = &clock;
  options.automatic_commits = false;
  const auto store = must(Store::open(options));
  must(store->resume());
  auto& trees = store->trees();
  const BranchRef ref = must(BranchRef::parse("data@master"));
  const std::string path = committed ? "d/f" : "f";
  CHECK(text(trees, trees.root(must(trees.branch(ref))), path) == "acknowledged");
  if (!finishes) must(store->catalog().finish(ref, {}));
  const auto branch = must(store->catalog().branch(ref));
  REQUIRE(branch.head);
  const auto tree = must(trees.commit(must(store->catalog().commit(*branch.head))));
  CHECK(text(trees, trees.root(tree), path) == "acknowledged");
  CHECK(text(trees, trees.root(tree), committed ? "d/l" : "l") == "(none)");
}

}  // namespace pfs::test
