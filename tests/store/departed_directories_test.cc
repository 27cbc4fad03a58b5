// Directories that are taken away with what is in them: what was staged below gives its room back, and not before time.
#include <catch2/catch.hpp>

#include <future>
#include <optional>
#include <string>
#include <vector>

#include "base/file.h"
#include "store/catalog_world.h"
#include "support/must.h"

namespace pfs::test {
namespace {

using namespace pfs::store;

const std::string kInLog(10'000, 'l');
const std::string kInSpool(3'000'000, 's');

class World : public CatalogWorld {
 public:
  World() { make_branch("data@master"); }

  /// Written and closed: nobody has it loaded but the caller.
  NodePtr put(const NodePtr& directory, const std::string& name, const std::string& bytes) {
    const auto node = file(directory, name);
    trees().opened_for_write(node);
    must(trees().write(node, 0, as_bytes(bytes)));
    trees().released_for_write(node);
    return node;
  }
  /// `dir/below/f`.
  NodePtr fill(const std::string& bytes) {
    return put(make(make(root(), "dir", Kind::kDirectory), "below", Kind::kDirectory), "f", bytes);
  }
  void take_away(const std::string& name, const std::optional<Entry>& becomes = std::nullopt) {
    const std::vector<EntryPut> puts{{root(), name, becomes}};
    must(trees().put_entries(puts, {}));
  }
  Entry finished(const std::string& name, const std::string& bytes) {
    const auto scratch = must(trees().scratch());
    make(trees().root(scratch), name, Kind::kFile, bytes);
    const auto tree = must(trees().snapshot(trees().root(scratch)));
    return *must(store().tree_reader().find(tree.root, name));
  }
  /// Staged bytes that somebody refers to.
  std::uint64_t live() { return must(store().space()).live_bytes; }
  std::string text_at(const NodePtr& root, const std::string& path) {
    const auto node = trees().walk(root, must(RepoPath::parse(path)));
    return node ? text(*node) : "(none)";
  }
};

TEST_CASE("what was staged below a directory that is deleted or replaced is given up at once", "[store]") {
  World world;
  const auto& bytes = GENERATE(0, 1) == 0 ? kInLog : kInSpool;
  const bool reopened = GENERATE(false, true);
  const bool replaced = GENERATE(false, true);
  INFO(bytes.size() << " bytes, reopened " << reopened << ", replaced " << replaced);
  world.fill(bytes);
  for (int i = 0; i < 1500; ++i) world.put(world.at("dir"), "f" + std::to_string(i), "bytes");
  if (reopened) world.open();
  CHECK(world.live() > 0);
  world.take_away("dir", replaced ? std::optional(world.finished("dir", "a file")) : std::nullopt);
  CHECK(world.live() == 0);
  for (int round = 0; round < 2; ++round) {
    must(world.catalog().finish(branch_ref("data@master"), {}));
    CHECK(world.live() == 0);
    CHECK(world.text(world.root(), "dir") == (replaced ? "a file" : "(none)"));
    world.open();
  }
}

TEST_CASE("an unloaded file that is deleted or replaced gives up what was staged of it", "[store]") {
  World world;
  const bool replaced = GENERATE(false, true);
  world.put(world.root(), "f", kInLog);
  world.take_away("f", replaced ? std::optional(world.finished("f", "new")) : std::nullopt);
  world.make(world.root(), "next");
  CHECK(world.live() == 0);
  CHECK(world.text(world.root(), "f") == (replaced ? "new" : "(none)"));
}

TEST_CASE("a file below a deleted directory is read and written by who has it open", "[store]") {
  World world;
  auto held = world.fill(kInLog);
  const auto directory = world.at("dir");
  world.take_away("dir");
  CHECK((world.text(held) == kInLog));
  must(world.trees().write(held, 0, as_bytes(std::string_view("written"))));
  CHECK((world.text(held) == "written" + kInLog.substr(7)));
  CHECK(world.live() > 0);
  int listed = 0;
  must(world.trees().list(directory, "", [&](const ListedEntry&) { return ++listed > 0; }));
  CHECK(listed == 0);
  CHECK_FALSE(world.trees().make(directory, "new", {}));
  must(world.catalog().finish(branch_ref("data@master"), {}));
  CHECK((world.text(held) == "written" + kInLog.substr(7)));
  held.reset();
  world.make(world.root(), "next");
  CHECK(world.live() == 0);
}

TEST_CASE("a commit that is being made has the directory that is deleted meanwhile", "[store]") {
  World world;
  world.fill(kInSpool);
  Gate gate;
  gate.held = branch_ref("data@master");
  world.store().set_publish_hook(&gate);
  auto finishing = std::async(std::launch::async, [&] { return world.catalog().finish(branch_ref("data@master"), {}).has_value(); });
  gate.reached.get_future().wait();
  world.put(world.at("dir"), "later", kInLog);
  world.take_away("dir");
  world.make(world.root(), "next");
  CHECK(world.live() > 0);
  gate.open.set_value();
  CHECK(finishing.get());
  world.store().set_publish_hook(nullptr);

  CHECK((world.text_at(world.head_root(), "dir/below/f") == kInSpool));
  CHECK(world.text_at(world.head_root(), "dir/later") == "(none)");
  CHECK(world.live() == 0);
  for (const bool reopened : {false, true}) {
    INFO("reopened " << reopened);
    CHECK(world.text_at(world.root(), "dir/below/f") == "(none)");
    CHECK(world.live() == 0);
    if (!reopened) world.open();
  }
  world.finish();
  CHECK_FALSE(world.trees().lookup(world.head_root(), "dir"));
}

TEST_CASE("a removed directory's base does not come back to who has it open", "[store]") {
  World world;
  world.fill(kInLog);
  world.finish();
  const auto below = world.at("dir/below");
  must(world.trees().remove(below, "f", false));
  must(world.trees().remove(world.at("dir"), "below", true));
  world.make(world.root(), "next");
  CHECK_FALSE(world.trees().lookup(below, "f"));
  int listed = 0;
  must(world.trees().list(below, "", [&](const ListedEntry&) { return ++listed > 0; }));
  CHECK(listed == 0);
  world.open();
  CHECK_FALSE(world.trees().lookup(world.at("dir"), "below"));
}

TEST_CASE("a file outlives the deleted directory of one of its names by another", "[store]") {
  World world;
  world.make_branch("data@other");
  {
    const auto file = world.fill(kInLog);
    must(world.trees().link(file, world.at("dir"), "second"));
    must(world.trees().link(file, world.root(), "stays"));
  }
  const bool older = GENERATE(false, true);  // its rows are of an epoch before
  if (older) {
    world.make(world.root("data@other"), "f");
    world.finish("data@other");
  }
  world.take_away("dir");
  for (int i = 0; i < 2; ++i) world.make(world.root(), "next" + std::to_string(i));
  CHECK((world.text(world.root(), "stays") == kInLog));
  CHECK(must(world.trees().stat(world.at("stays"))).links == 1);
  world.open();
  CHECK((world.text(world.root(), "stays") == kInLog));
  world.finish();
  CHECK((world.text(world.head_root(), "stays") == kInLog));
  CHECK(world.live() == 0);
}

}  // namespace
}  // namespace pfs::test
