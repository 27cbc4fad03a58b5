// The file service's messages in every order and with anything in them: each call ends with an answer, and the branch has all of a
// call or nothing.
#include "api/internal/file_put.h"

#include <random>
#include <string>
#include <vector>

#include <catch2/catch.hpp>

#include "support/rounds.h"
#include "support/store_world.h"

namespace pfs::test {
namespace {

const BranchRef kMaster = *BranchRef::parse("data@master");

class World : public StoreWorld {
 public:
  World() : StoreWorld({kMaster}) {}
  std::size_t commits() { return catalog().commits(kMaster.repo, kMaster.branch, 1000)->size(); }
  Mutex append_mutex{LockRank::kPublish};
};

v1::PutFilesRequest target() {
  v1::PutFilesRequest message;
  message.mutable_target()->set_repo("data");
  message.mutable_target()->set_branch("master");
  return message;
}

v1::PutFilesRequest start(const std::string& path, v1::FileKind kind = v1::FILE_KIND_FILE) {
  v1::PutFilesRequest message;
  message.mutable_start()->set_path(path);
  message.mutable_start()->set_kind(kind);
  return message;
}

/// Whether all messages are taken and the call is finished.
bool call(World& world, const std::vector<v1::PutFilesRequest>& messages) {
  api::FileChanges changes(world.store(), api::Caller{}, world.append_mutex);
  api::FilePut put(world.store(), changes);
  for (const auto& message : messages) {
    if (!put.take(message)) return false;
  }
  v1::PutFilesResponse response;
  return put.complete() && put.finish(response).has_value();
}

TEST_CASE("messages out of order are refused, and change nothing", "[api]") {
  World world;
  v1::PutFilesRequest complete;
  complete.set_complete(true);
  v1::PutFilesRequest data;
  data.set_data("x");
  v1::PutFilesRequest too_big;
  too_big.set_data(std::string((1 << 20) + 1, 'x'));
  auto keep = start("/nothing");
  keep.mutable_start()->set_keep(true);
  v1::PutFilesRequest remove_root;
  remove_root.set_remove("/");
  CHECK_FALSE(call(world, {}));
  CHECK_FALSE(call(world, {complete}));
  CHECK_FALSE(call(world, {start("/f"), complete}));
  CHECK_FALSE(call(world, {target(), target(), complete}));
  CHECK_FALSE(call(world, {target(), data, complete}));
  CHECK_FALSE(call(world, {target(), start("/d", v1::FILE_KIND_DIRECTORY), data, complete}));
  CHECK_FALSE(call(world, {target(), start("/f"), too_big, complete}));
  CHECK_FALSE(call(world, {target(), start("/f"), complete, data}));
  CHECK_FALSE(call(world, {target(), start("/f"), start("/f"), complete}));
  CHECK_FALSE(call(world, {target(), start("/f"), start("/f/g"), complete}));
  CHECK_FALSE(call(world, {target(), start("/../f"), complete}));
  CHECK_FALSE(call(world, {target(), start("/"), complete}));
  CHECK_FALSE(call(world, {target(), start("/f", v1::FILE_KIND_OTHER), complete}));
  CHECK_FALSE(call(world, {target(), start("/f", static_cast<v1::FileKind>(77)), complete}));
  CHECK_FALSE(call(world, {target(), keep, complete}));
  CHECK_FALSE(call(world, {target(), remove_root, complete}));
  CHECK(world.commits() == 0);
  CHECK(call(world, {target(), start("/f"), data, complete}));
  CHECK(world.commits() == 1);
}

TEST_CASE("messages with any bytes in them are answered", "[api]") {
  World world;
  const auto seed = seed_of_run();
  INFO("PFS_SEED=" << seed);
  std::mt19937_64 random(seed);
  const auto bytes = [&random](std::size_t most) {
    std::string text(random() % (most + 1), '\0');
    for (auto& c : text) c = "/.ab\0\xff@:"[random() % 8];
    return text;
  };
  for (int i = 0; i < rounds(200, 900); ++i) {
    std::vector<v1::PutFilesRequest> messages;
    if (random() % 8 != 0) messages.push_back(target());
    for (auto count = random() % 8; count > 0; --count) {
      v1::PutFilesRequest message;
      if (random() % 2 == 0) {
        message = start(bytes(6), static_cast<v1::FileKind>(random() % 6));
        message.mutable_start()->set_keep(random() % 4 == 0);
        message.mutable_start()->set_link_target(bytes(4));
        message.mutable_start()->set_mode(static_cast<std::uint32_t>(random()));
        if (random() % 2 == 0)
          message.mutable_start()->mutable_modified()->set_seconds(static_cast<std::int64_t>(random() % 4'000'000'000U));
      }
      if (random() % 2 == 0) message.set_data(bytes(9));
      if (random() % 4 == 0) message.set_remove(bytes(4));
      message.set_complete(random() % 6 == 0);
      messages.push_back(std::move(message));
    }
    const auto before = world.commits();
    const bool done = call(world, messages);
    CHECK(world.commits() == before + (done ? 1U : 0U));
  }
}

}  // namespace
}  // namespace pfs::test
