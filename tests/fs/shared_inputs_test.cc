#include <catch2/catch.hpp>

#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/file.h"
#include "fs/vfs.h"
#include "support/must.h"
#include "support/temporary_directory.h"

namespace pfs::test {
namespace {

using namespace pfs::fs;

/// There is no kernel: what it is told is not needed here.
class NoCaches final : public KernelCaches {
 public:
  void drop_attributes(NodeId) override {}
  void drop_names(NodeId, std::vector<std::string>, Forget, std::function<void()> done) override { done(); }
  bool drop_name_now(NodeId, const std::string&, Forget, std::chrono::milliseconds) override { return true; }
  bool drop_content_now(NodeId, std::chrono::milliseconds) override { return true; }
  bool drop_range_now(NodeId, std::uint64_t, std::uint64_t, std::chrono::milliseconds) override { return true; }
  void drop_range(NodeId, std::uint64_t, std::uint64_t, std::function<void()> done) override { done(); }
  void drop_listing(NodeId) override {}
  bool write_back(const std::vector<NodeId>&, std::chrono::milliseconds) override { return true; }
};

const Caller kJob{1000, 1000, 1, 0, {}};

/// Two views of `data/big` (100 KiB), `data/again` (the same bytes) and `data/small`.
class World {
 public:
  World() {
    const auto staged = must(trees().scratch());
    for (const char* name : {"again", "big", "small"}) {
      store::MakeRequest request;
      const auto file = must(trees().make(trees().root(staged), name, request));
      const std::string text(name == std::string("small") ? 10 : 100 * 1024, 'x');
      must(trees().write(file, 0, as_bytes(text)));
    }
    store::Entry data;
    data.name = "data";
    data.attributes.kind = store::Kind::kDirectory;
    data.subtree = must(trees().snapshot(trees().root(staged)));
    for (auto& view : views_) {
      view = vfs_->add_view({1000, 1000});
      const auto tree = must(trees().scratch());
      must(trees().put_entry(trees().root(tree), "data", data));
      view->show(tree, trees().root(tree));
    }
  }

  store::LiveTrees& trees() { return store_->trees(); }
  Vfs& vfs() { return *vfs_; }
  NodeId data(int view) {
    const auto all = at(at(kRootNode, ".pfs"), "views");
    return at(at(all, views_[static_cast<std::size_t>(view)]->name()), "data");
  }
  NodeId at(NodeId directory, const std::string& name) {
    return must(vfs_->lookup(kJob, directory, name)).node;
  }
  /// The view's own file, also where the mount shows the shared one in its place.
  std::weak_ptr<store::LiveNode> own(int view, const std::string& name) {
    const auto top = views_[static_cast<std::size_t>(view)]->shown().root;
    return must(trees().lookup(must(trees().lookup(top, "data")), name));
  }
  bool has_had_no_room(int view) const { return views_[static_cast<std::size_t>(view)]->traffic()->no_room; }
  Code code_of_open(NodeId node) {
    const auto opened = vfs_->open(kJob, node, {true, true, false});
    return opened ? Code::kExists : opened.error().code;
  }

 private:
  static std::unique_ptr<store::Store> opened(const std::string& path, const Clock& clock) {
    store::StoreOptions options;
    options.path = path;
    options.clock = &clock;
    options.automatic_commits = false;
    return must(store::Store::open(options));
  }

  TemporaryDirectory directory_;
  SystemClock clock_;
  NoCaches caches_;
  std::unique_ptr<store::Store> store_ = opened(directory_ / "store", clock_);
  std::unique_ptr<Vfs> vfs_ = std::make_unique<Vfs>(VfsOptions{store_.get(), &clock_, &caches_, 0, 0, {}, {}, nullptr});
  std::shared_ptr<ViewRoot> views_[2];
};

TEST_CASE("two views show one node of a big input, and one each of a small one", "[fs]") {
  World world;
  const auto first = world.data(0);
  const auto second = world.data(1);
  CHECK(world.at(first, "big") == world.at(second, "big"));
  CHECK(world.at(first, "small") != world.at(second, "small"));
  // in one view two names are two files, as find and tar would take them for hard links otherwise
  CHECK(world.at(first, "big") != world.at(first, "again"));
}

TEST_CASE("a file that is there is not opened as one of the caller's making, whose mode nobody looks at", "[fs]") {
  World world;
  const auto data = world.data(0);
  for (const bool exclusive : {false, true}) {
    store::MakeRequest request;
    request.exclusive = exclusive;
    const auto made = world.vfs().create(kJob, data, "small", request, {true, true, false});
    REQUIRE_FALSE(made);
    CHECK(made.error().code == (exclusive ? Code::kExists : Code::kStale));
  }
  CHECK(world.vfs().create(kJob, data, "new", {}, {true, true, false}));
}

TEST_CASE("who opens a shared input to change it is sent to look again, and changes its own", "[fs]") {
  World world;
  const auto shared = world.at(world.data(0), "big");
  REQUIRE(world.at(world.data(1), "big") == shared);
  REQUIRE(world.code_of_open(shared) == Code::kStale);
  const auto own = world.at(world.data(0), "big");
  REQUIRE(own != shared);
  const auto opened = must(world.vfs().open(kJob, own, {true, true, true}));
  std::size_t written = 0;
  world.vfs().write(kJob, opened.handle, 0, as_bytes(std::string("changed")), {},
                    [&](Result<std::size_t> done) { written = must(std::move(done)); });
  CHECK(written == 7);
  CHECK(must(world.vfs().stat(own, std::nullopt)).stat.size == 7);
  CHECK(must(world.vfs().stat(shared, std::nullopt)).stat.size == 100 * 1024);
  CHECK(world.at(world.data(0), "big") == own);
}

TEST_CASE("what changes nothing of a shared input is done, also by a descriptor, which has no name to look up again", "[fs]") {
  World world;
  const auto shared = world.at(world.data(0), "big");
  const auto before = must(world.vfs().stat(shared, std::nullopt)).stat.attributes;
  store::AttributeChange change;
  SECTION("times of access alone") {}
  SECTION("the mode that it has") { change.mode = before.mode; }
  SECTION("the times that it has") { change.mtime = before.mtime; }
  SECTION("an owner, which in a view is its job always") { change.uid = change.gid = 7; }
  CHECK(world.vfs().set_attributes(kJob, shared, std::nullopt, change));
  CHECK(world.at(world.data(0), "big") == shared);
  change.mode = before.mode ^ 0100U;
  const auto refused = world.vfs().set_attributes(kJob, shared, std::nullopt, change);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == Code::kStale);
  const auto own = world.at(world.data(0), "big");
  REQUIRE(own != shared);
  CHECK(must(world.vfs().set_attributes(kJob, own, std::nullopt, change)).stat.attributes.mode == *change.mode);
  CHECK(must(world.vfs().stat(shared, std::nullopt)).stat.attributes.mode == before.mode);
}

TEST_CASE("a file that a view has made its own is held no longer than the kernel knows it", "[fs]") {
  World world;
  REQUIRE(world.code_of_open(world.at(world.data(0), "big")) == Code::kStale);
  const auto own = world.at(world.data(0), "big");
  const auto node = world.own(0, "big");
  REQUIRE_FALSE(node.expired());
  world.vfs().forget(own, 1);
  CHECK(node.expired());
}

TEST_CASE("a view that has renamed a shared input can change it", "[fs]") {
  World world;
  const auto shared = world.at(world.data(0), "big");
  world.vfs().rename(kJob, world.data(0), "big", world.data(0), "moved", store::RenameMode::kReplace,
                     [](Result<void> renamed) { must(std::move(renamed)); });
  REQUIRE(world.code_of_open(shared) == Code::kStale);  // the kernel has moved the name, not the node
  CHECK(world.code_of_open(world.at(world.data(0), "moved")) == Code::kExists);
  CHECK(world.at(world.data(1), "small") != shared);
}

TEST_CASE("a shared input that nobody knows any more is shared anew", "[fs]") {
  World world;
  const auto shared = world.at(world.data(0), "big");
  world.vfs().forget(shared, 1);
  const auto again = world.at(world.data(1), "big");
  CHECK(again != shared);
  CHECK(world.at(world.data(0), "big") == again);
}

TEST_CASE("room that is refused to a view's job is noticed, also where nothing was written", "[fs]") {
  World world;
  const auto file = must(world.vfs().create(kJob, world.data(0), "mine", {}, {true, true, false})).open.handle;
  world.at(world.data(1), "small");
  const auto refused = world.vfs().allocate(kJob, file, {}, 0, std::uint64_t{1} << 60U);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == Code::kNoSpace);
  CHECK(world.has_had_no_room(0));
  CHECK_FALSE(world.has_had_no_room(1));
}

}  // namespace
}  // namespace pfs::test
