#include "store/collect/collection.h"

#include <unistd.h>

#include <chrono>
#include <set>
#include <thread>

#include <boost/filesystem.hpp>
#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "base/fault.h"
#include "store/collect/mark_view.h"
#include "store/repo/delta_trees.h"

namespace pfs::store {

namespace {

// For uses from before the collection. Most are over in no time; the objects of those that are not stay until the next one.
constexpr std::chrono::milliseconds kWaitForUses{2000};
constexpr std::chrono::milliseconds kLookForUses{5};

std::string view_of(const std::string& store_path) { return store_path + "/tmp/collect"; }

Result<void> make_directory(const std::string& path) {
  boost::system::error_code error;
  boost::filesystem::create_directories(path, error);
  if (error) return error_from_errno(error.value(), "make " + path);
  return {};
}

// They have another name when they are sealed, and none when they were empty.
Result<void> link_open_packs(const std::string& from, const std::string& to) {
  PFS_TRY(make_directory(to));
  boost::system::error_code error;
  for (boost::filesystem::directory_iterator it(from, error), end; !error && it != end; it.increment(error)) {
    const auto name = it->path().filename().string();
    if (::link((from + "/" + name).c_str(), (to + "/" + name).c_str()) != 0 && errno != ENOENT) {
      return error_from_errno(errno, "link " + from + "/" + name);
    }
  }
  if (error) return error_from_errno(error.value(), "list " + from);
  return {};
}

}  // namespace

void Collection::clear(const std::string& store_path) {
  boost::system::error_code error;
  boost::filesystem::remove_all(view_of(store_path), error);
  if (error) spdlog::warn("{}: cannot be removed: {}", view_of(store_path), error.message());
}

// Order: the round begins before anything is looked at; then what memory holds, the checkpoint, and what memory holds and what was
// copied by reference since. What has come to be referred to after that by a copy was referred to by one of these.
Result<void> Collection::make_view(const std::string& directory) {
  clear(parts_.store_path);
  PFS_TRY(make_directory(directory));
  auto& uses = parts_.objects->uses();
  uses.begin_round();
  const auto until = std::chrono::steady_clock::now() + kWaitForUses;
  while (!uses.earlier_ended() && std::chrono::steady_clock::now() < until && !stopped()) std::this_thread::sleep_for(kLookForUses);
  uses.settle_earlier();
  std::vector<ObjectId> held;
  const auto note = [&](const ObjectId& id) { held.push_back(id); };
  parts_.trees->held_objects(note);
  PFS_FAULT_POINT("store.collect.round");
  PFS_TRY(link_open_packs(parts_.store_path + "/open", view_open_packs(directory)));
  PFS_TRY(parts_.database->checkpoint(view_database(directory)));
  PFS_FAULT_POINT("store.collect.checkpoint");
  parts_.trees->held_objects(note);
  for (const auto& id : uses.take_referred()) held.push_back(id);
  return write_held(directory, held);
}

Result<CollectResult> Collection::run() {
  // so that what is in them counts
  PFS_TRY(parts_.packs->seal_opened_until(parts_.packs->clock().now()));
  const std::string directory = view_of(parts_.store_path);
  const auto work = [&]() -> Result<void> {
    PFS_TRY(make_view(directory));
    if (stopped()) return Error{Code::kCancelled, "collection: stopped"};
    PFS_TRY(options_.mark(parts_.store_path, directory));
    PFS_FAULT_POINT("store.collect.marked");
    PFS_TRY_ASSIGN(const auto list, DeadList::open(dead_list_of(directory)));
    result_.live = list.live;
    result_.dead = list.dead;
    return options_.dry_run ? Result<void>() : sweep(list);
  };
  auto done = work();
  (void)parts_.objects->uses().take_referred();
  clear(parts_.store_path);
  if (!done) return std::move(done).error();
  return result_;
}

// The packs' rows that say that their footers name too much come before the rows that go, in one log.
Result<void> Collection::sweep(const DeadList& list) {
  std::set<PackNumber> packs;
  const auto note_packs = [&](const std::vector<DeadObject>& some) -> Result<void> {
    for (const auto& object : some) {
      if (object.pack != PackNumber{}) packs.insert(object.pack);
    }
    return {};
  };
  PFS_TRY(list.each(note_packs));
  PFS_TRY(parts_.packs->mark_partial({packs.begin(), packs.end()}));
  for (const auto pack : packs) parts_.objects->distrust_pack(pack);
  PFS_FAULT_POINT("store.collect.partial");
  PFS_TRY(list.each([this](const std::vector<DeadObject>& some) { return take_some(some); }));
  return parts_.local->sync();
}

// A shard is not held for longer than some rows take.
Result<void> Collection::take_some(const std::vector<DeadObject>& some) {
  std::vector<DeadObject> same_shard;
  for (const auto& object : some) {
    if (stopped()) return Error{Code::kCancelled, "collection: stopped"};
    if (!same_shard.empty() && !ObjectUses::same_shard(same_shard.front().id, object.id)) {
      PFS_TRY(take(same_shard));
      same_shard.clear();
    }
    same_shard.push_back(object);
  }
  return take(same_shard);
}

Result<void> Collection::take(const std::vector<DeadObject>& same_shard) {
  std::vector<ObjectId> ids;
  for (const auto& object : same_shard) {
    if (ids.empty() || ids.back() != object.id) ids.push_back(object.id);
  }
  std::set<ObjectId> taken;
  const auto erase = [&](const std::vector<ObjectId>& untouched) {
    LocalBatch batch;
    for (const auto& id : untouched) {
      // in both, as it may have been moved from the one to the other since
      batch.erase(Family::kHot, object_key(id));
      batch.erase(Family::kIndex, object_key(id));
    }
    taken.insert(untouched.begin(), untouched.end());
    return parts_.local->write(batch);
  };
  PFS_TRY(parts_.objects->uses().take_untouched(ids, erase));
  for (const auto& object : same_shard) {
    auto& totals = taken.contains(object.id) ? result_.taken : result_.in_use;
    ++totals.objects;
    totals.bytes += object.length;
  }
  PFS_FAULT_POINT("store.collect.taken");
  return {};
}

}  // namespace pfs::store
