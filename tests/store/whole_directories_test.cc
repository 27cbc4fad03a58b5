// What a directory entry can be, and whether all of it is there again after a commit and a restart.
#include <catch2/catch.hpp>

#include <array>
#include <limits>
#include <map>
#include <optional>

#include <fmt/format.h>

#include "support/store_world.h"

namespace pfs::test {
namespace {

using namespace pfs::store;

const BranchRef kMaster = *BranchRef::parse("data@master");
const BranchRef kDev = *BranchRef::parse("data@dev");

class World : public StoreWorld {
 public:
  World() : StoreWorld({kMaster, kDev}) {}
};

struct Told {
  Stat stat;
  std::string target;
  Xattrs xattrs;
};

std::map<std::string, Told> everything(World& world, const NodePtr& directory) {
  std::map<std::string, Told> all;
  REQUIRE(world.trees().list(directory, "", [&](const ListedEntry& entry) {
    all[entry.name].stat = entry.stat;
    return true;
  }));
  for (auto& [name, told] : all) {
    const auto node = world.trees().lookup(directory, name);
    REQUIRE(node);
    CHECK(world.trees().stat(*node)->attributes == told.stat.attributes);
    if (told.stat.attributes.kind == Kind::kSymlink) told.target = *world.trees().read_link(*node);
    told.xattrs = *world.trees().xattrs(*node);
  }
  return all;
}

TEST_CASE("every kind of entry, every attribute and any bytes of a name survive a commit and a restart", "[store]") {
  World world;
  auto& trees = world.trees();
  const auto top = world.root();
  std::string any_bytes;
  for (int byte = 1; byte < 256; ++byte) {
    if (byte != '/') any_bytes.push_back(static_cast<char>(byte));
  }
  const std::vector<std::string> names{any_bytes, std::string(255, '\xff'), "new\nline", "\xc3\x28", " ", "-rf", "\\"};
  for (const auto& name : names) world.make(top, name);

  const auto attributed = [&](const std::string& name, Kind kind, std::uint32_t mode, std::uint64_t rdev) {
    MakeRequest request;
    request.kind = kind;
    request.mode = mode;
    request.uid = 3'000'000'000U;
    request.gid = std::numeric_limits<std::uint32_t>::max() - 1;
    request.rdev = rdev;
    request.target = kind == Kind::kSymlink ? std::string(4000, 't') : "";
    REQUIRE(trees.make(top, name, request));
  };
  attributed("fifo", Kind::kFifo, 0600, 0);
  attributed("socket", Kind::kSocket, 0755, 0);
  attributed("block", Kind::kBlockDevice, 0660, (std::uint64_t{259} << 8U) | 3U);
  attributed("character", Kind::kCharacterDevice, 0666, std::numeric_limits<std::uint32_t>::max());
  attributed("symlink", Kind::kSymlink, 0777, 0);
  attributed("setuid", Kind::kFile, 07755, 0);
  attributed("sticky", Kind::kDirectory, 01777, 0);
  attributed("none", Kind::kFile, 0, 0);

  const std::vector<std::pair<std::string, std::int64_t>> times{
      {"fifo", -1}, {"socket", std::numeric_limits<std::int64_t>::min()}, {"block", std::numeric_limits<std::int64_t>::max()},
      {"symlink", -6'857'222'400'123'456'789}, {"setuid", 1'234'567'890'987'654'321}, {"sticky", -999'999'999}, {"none", 0}};
  for (const auto& [name, nanoseconds] : times) {
    AttributeChange change;
    change.mtime = Timestamp{nanoseconds};
    REQUIRE(trees.set_attributes(world.at(name), change));
  }
  for (const auto* name : {"fifo", "symlink", "setuid", "sticky"}) {
    REQUIRE(trees.set_xattr(world.at(name), "trusted.empty", ""));
    REQUIRE(trees.set_xattr(world.at(name), "trusted.bytes", std::string("\0\xff\n", 3)));
  }
  const auto before = everything(world, top);
  CHECK(before.size() == names.size() + 8);
  CHECK(before.at("socket").stat.attributes.mtime == Timestamp{std::numeric_limits<std::int64_t>::min()});
  CHECK(before.at("setuid").stat.attributes.mode == 07755);
  CHECK(before.at("fifo").xattrs.at("trusted.empty").empty());

  const auto same = [&](const std::map<std::string, Told>& after) {
    REQUIRE(after.size() == before.size());
    for (const auto& [name, told] : before) {
      INFO(printable(name));
      REQUIRE(after.contains(name));
      CHECK(after.at(name).stat.attributes == told.stat.attributes);
      CHECK(after.at(name).target == told.target);
      CHECK(after.at(name).xattrs == told.xattrs);
    }
  };
  world.open();
  same(everything(world, world.root()));
  world.finish();
  same(everything(world, world.root()));
  same(everything(world, world.head_root()));
  world.open();
  same(everything(world, world.root()));
  same(everything(world, world.head_root()));

  // a listing goes on behind any name, also one that is not there
  std::string next;
  REQUIRE(world.store().tree_reader().scan(world.catalog().commit(*world.catalog().branch(kMaster)->head)->root.root,
                                           "fifo!", [&](const Entry& entry) {
                                             next = entry.name;
                                             return false;
                                           }));
  CHECK(next == "new\nline");
}

TEST_CASE("extended attributes have up to 64 KiB each, and a megabyte together", "[store]") {
  World world;
  auto& trees = world.trees();
  const auto file = world.make(world.root(), "f");
  const auto directory = world.make(world.root(), "d", Kind::kDirectory);
  const std::string big(65536, 'x');
  for (const auto& node : {file, directory}) {
    REQUIRE(trees.set_xattr(node, "user.small", "1"));
    REQUIRE(trees.set_xattr(node, "user.big", big));
    REQUIRE(trees.set_xattr(node, "user.other", "2"));
  }
  const Xattrs expected{{"user.small", "1"}, {"user.big", big}, {"user.other", "2"}};
  CHECK(*trees.xattrs(file) == expected);
  world.finish();
  world.open();
  for (const auto* name : {"f", "d"}) {
    CHECK(*world.trees().xattrs(world.at(name)) == expected);
    CHECK(*world.trees().xattrs(*world.trees().lookup(world.head_root(), name)) == expected);
  }
  // small again: it lies in the entry
  REQUIRE(world.trees().set_xattr(world.at("f"), "user.big", std::nullopt));
  world.finish();
  CHECK(*world.trees().xattrs(*world.trees().lookup(world.head_root(), "f")) == Xattrs{{"user.small", "1"}, {"user.other", "2"}});

  const auto node = world.at("f");
  CHECK(world.trees().set_xattr(node, "user.too-big", big + "x").error().code == Code::kTooLarge);
  for (int i = 0; i < 15; ++i) REQUIRE(world.trees().set_xattr(node, fmt::format("user.{}", i), big));
  CHECK(world.trees().set_xattr(node, "user.last", big).error().code == Code::kNoSpace);
}

TEST_CASE("a file keeps its names in one branch", "[store]") {
  World world;
  auto& trees = world.trees();
  const auto directory = world.make(world.root(), "d", Kind::kDirectory);
  const auto file = world.make(directory, "a");
  REQUIRE(trees.link(file, world.root(), "b"));
  const bool committed = GENERATE(false, true);
  if (committed) {
    world.finish();
    world.open();
  }
  auto& now = world.trees();
  CHECK(now.link(world.at("b"), world.root(kDev), "c").error().code == Code::kCrossDevice);
  CHECK(now.link(world.at("d"), world.root(), "c").error().code == Code::kNotPermitted);
  CHECK(now.link(world.at("b"), world.at("d"), "a").error().code == Code::kExists);
  CHECK(now.rename(world.root(), "b", world.root(kDev), "b", RenameMode::kReplace).error().code == Code::kCrossDevice);
  CHECK(now.rename(world.root(), "d", world.root(kDev), "d", RenameMode::kReplace).error().code == Code::kCrossDevice);
  CHECK(world.at("d/a") == world.at("b"));

  // once both are below the directory they go along, also where the other branch knows the same link
  REQUIRE(now.rename(world.root(), "b", world.at("d"), "b", RenameMode::kReplace));
  world.finish();
  REQUIRE(world.catalog().retarget(kDev, *CommitRef::parse("data@master")));
  REQUIRE(now.rename(world.root(), "d", world.root(kDev), "moved", RenameMode::kReplace));
  world.finish();
  world.open();
  CHECK(world.at("moved/a", kDev) == world.at("moved/b", kDev));
  CHECK(world.at("moved/a", kDev) != world.at("d/a", kDev));
  REQUIRE(world.trees().write(world.at("moved/a", kDev), 0, as_bytes("moved")));
  CHECK(world.text(world.at("moved/b", kDev)) == "moved");
  CHECK(world.text(world.at("d/b", kDev)).empty());
  CHECK(world.trees().stat(world.at("d/b", kDev))->links == 2);
}

TEST_CASE("a copied directory's files are linked among themselves, and never with their originals", "[store]") {
  World world;
  auto& trees = world.trees();
  const auto directory = world.make(world.root(), "d", Kind::kDirectory);
  const auto file = world.make(directory, "a");
  REQUIRE(trees.link(file, directory, "b"));
  REQUIRE(trees.link(file, world.root(), "outside"));
  const auto single = world.make(directory, "single");
  REQUIRE(trees.link(single, world.root(), "single"));
  if (GENERATE(false, true)) world.finish();
  REQUIRE(world.trees().copy_entry(world.at("d"), world.root(), "copy"));
  const auto check = [&](const NodePtr& top) {
    auto& now = world.trees();
    const auto node = [&](const std::string& path) { return *now.walk(top, *RepoPath::parse(path)); };
    CHECK(node("copy/a") == node("copy/b"));
    CHECK(node("copy/a") != node("d/a"));
    CHECK(now.stat(node("copy/a"))->links == 2);
    CHECK(now.stat(node("d/a"))->links == 3);
    CHECK(now.stat(node("copy/single"))->links == 1);
  };
  check(world.root());
  world.finish();
  check(world.root());
  check(world.head_root());
  world.open();
  check(world.root());
  check(world.head_root());
}

TEST_CASE("what is changed by one name after a commit is changed by all of them in the next", "[store]") {
  World world;
  auto& trees = world.trees();
  const auto directory = world.make(world.root(), "d", Kind::kDirectory);
  const auto file = world.make(directory, "a");
  REQUIRE(trees.link(file, world.root(), "b"));
  world.finish();
  // a directory that moves takes its closed links along
  REQUIRE(trees.rename(world.root(), "d", world.root(), "e", RenameMode::kReplace));
  REQUIRE(trees.write(world.at("b"), 0, as_bytes("new")));
  CHECK(world.text(world.at("e/a")) == "new");
  world.finish();
  CHECK(world.text(*trees.lookup(world.head_root(), "b")) == "new");
  CHECK(world.text(*trees.walk(world.head_root(), *RepoPath::parse("e/a"))) == "new");
  REQUIRE(trees.remove(world.root(), "b", false));
  CHECK(trees.stat(world.at("e/a"))->links == 1);
  world.finish();
  CHECK(trees.stat(*trees.walk(world.head_root(), *RepoPath::parse("e/a")))->links == 1);
}

TEST_CASE("an exchange gives each of two names what the other had, over commits and restarts", "[store]") {
  World world;
  const auto directory = world.make(world.root(), "d", Kind::kDirectory);
  const auto file = world.make(directory, "a");
  REQUIRE(world.trees().write(file, 0, as_bytes("linked")));
  REQUIRE(world.trees().link(file, world.root(), "b"));
  REQUIRE(world.trees().write(world.make(world.root(), "f"), 0, as_bytes("file")));
  const bool committed = GENERATE(false, true);
  if (committed) {
    world.finish();
    world.open();
  }
  auto& trees = world.trees();
  const auto d = world.at("d");
  const auto f = world.at("f");
  const auto linked = world.at("b");
  const std::array before{trees.stat(d)->attributes, trees.stat(f)->attributes, trees.stat(linked)->attributes};
  REQUIRE(trees.rename(world.root(), "d", world.root(), "f", RenameMode::kExchange));
  REQUIRE(trees.rename(world.root(), "b", world.at("f"), "a", RenameMode::kExchange));  // both names of one file
  CHECK(world.at("f") == d);
  CHECK(world.at("d") == f);
  CHECK(world.at("f/a") == linked);
  // a directory is linked from elsewhere, and a name of a link moves
  REQUIRE(trees.rename(world.root(), "d", world.at("f"), "a", RenameMode::kExchange));
  CHECK(world.at("f/a") == f);
  CHECK(world.at("d") == linked);
  CHECK(world.at("b") == linked);
  const auto top = trees.stat(world.root())->attributes;
  CHECK(trees.stat(d)->attributes.ctime > before[0].ctime);
  CHECK(trees.stat(f)->attributes.ctime > before[1].ctime);
  CHECK(trees.stat(linked)->attributes.ctime > before[2].ctime);
  CHECK(trees.stat(f)->attributes.mtime == before[1].mtime);
  CHECK(trees.stat(linked)->attributes.mtime == before[2].mtime);
  CHECK(top.mtime == trees.stat(f)->attributes.ctime);
  CHECK(trees.stat(d)->attributes.mtime >= top.mtime);  // it has lost a name and got one
  REQUIRE(trees.write(linked, 0, as_bytes("LINKED")));
  const auto check = [&](const NodePtr& at) {
    const auto node = [&](const std::string& path) { return *world.trees().walk(at, *RepoPath::parse(path)); };
    CHECK(world.text(node("b")) == "LINKED");
    CHECK(node("b") == node("d"));
    CHECK(world.trees().stat(node("b"))->links == 2);
    CHECK(world.text(node("f/a")) == "file");
    CHECK(world.trees().stat(node("f/a"))->links == 1);
  };
  check(world.root());
  world.open();
  check(world.root());
  world.finish();
  check(world.root());
  check(world.head_root());
  world.open();
  check(world.root());
  check(world.head_root());
}

TEST_CASE("an exchange is of two names that are there, in one branch, and neither below the other", "[store]") {
  World world;
  auto& trees = world.trees();
  const auto directory = world.make(world.root(), "d", Kind::kDirectory);
  world.make(directory, "a");
  world.make(world.root(kDev), "f");
  const auto exchange = [&](const NodePtr& from, const std::string& name, const NodePtr& to, const std::string& other) {
    return trees.rename(from, name, to, other, RenameMode::kExchange).error().code;
  };
  CHECK(exchange(world.root(), "d", world.root(), "none") == Code::kNotFound);
  CHECK(exchange(world.root(), "none", world.root(), "d") == Code::kNotFound);
  CHECK(exchange(world.root(), "d", directory, "a") == Code::kInvalid);
  CHECK(exchange(directory, "a", world.root(), "d") == Code::kInvalid);
  CHECK(exchange(world.root(), "d", world.root(kDev), "f") == Code::kCrossDevice);
  REQUIRE(trees.rename(world.root(), "d", world.root(), "d", RenameMode::kExchange));
  CHECK(world.at("d/a"));
}

TEST_CASE("a file that moves has a new ctime and its mtime", "[store]") {
  World world;
  world.make(world.root(), "f");
  world.make(world.root(), "d", Kind::kDirectory);
  if (GENERATE(false, true)) world.finish();
  for (const std::string name : {"f", "d"}) {
    auto& trees = world.trees();
    const auto before = trees.stat(world.at(name))->attributes;
    REQUIRE(trees.rename(world.root(), name, world.root(), "moved-" + name, RenameMode::kReplace));
    const auto after = trees.stat(world.at("moved-" + name))->attributes;
    CHECK(after.ctime > before.ctime);
    CHECK(after.mtime == before.mtime);
    world.open();
    CHECK(world.trees().stat(world.at("moved-" + name))->attributes.ctime == after.ctime);
  }
}

}  // namespace
}  // namespace pfs::test
