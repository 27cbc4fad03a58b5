#include <utility>

#include <fmt/format.h>

#include "store/repo/delta_trees.h"

namespace pfs::store {

Timestamp DeltaTrees::exchange_ctime(LiveNode& node, Timestamp ctime) {
  if (node.is_directory()) return std::exchange(node.attributes.ctime, ctime);
  Lock lock(node.mutex);
  return std::exchange(node.state.attributes.ctime, ctime);
}

// Both names in one batch. Each gets the other's row, so there is no moment in which one of them leads nowhere. Source:
// rename(2), RENAME_EXCHANGE.
Result<void> DeltaTrees::exchange(const NodePtr& one_directory, std::string_view one_name, const NodePtr& other_directory,
                                  std::string_view other_name) {
  PFS_TRY_ASSIGN(const auto one, lookup_locked(one_directory, one_name));
  PFS_TRY_ASSIGN(const auto other, lookup_locked(other_directory, other_name));
  if (one == other) return {};
  if (is_at_or_below(*other_directory, *one) || is_at_or_below(*one_directory, *other)) {
    return Error{Code::kInvalid, fmt::format("{}: a directory cannot be exchanged with what is in it", path_locked(*one))};
  }
  LiveNode& top = root_of(*one_directory);
  if (&top != &root_of(*other_directory)) {
    return Error{Code::kCrossDevice, fmt::format("{}: an exchange is within a branch; move them one after the other", path_locked(*one))};
  }
  PFS_TRY(open_moved_links(one, top, top));
  PFS_TRY(open_moved_links(other, top, top));

  const OpenLink::Name one_at{one_directory, std::string(one_name)};
  const OpenLink::Name other_at{other_directory, std::string(other_name)};
  Change change;
  PFS_TRY(touch_directory(*one_directory, change));
  PFS_TRY(touch_directory(*other_directory, change));
  const Timestamp now = one_directory->attributes.ctime;
  const Timestamp one_ctime = exchange_ctime(*one, now);
  const Timestamp other_ctime = exchange_ctime(*other, now);
  auto done = put_renamed(*one, one_at, *other_directory, other_name, change);
  if (done) done = put_renamed(*other, other_at, *one_directory, one_name, change);
  if (done) done = apply(change);
  if (!done) {
    exchange_ctime(*one, one_ctime);
    exchange_ctime(*other, other_ctime);
    return done;
  }
  end_renamed(one, one_at, other_directory, other_name);
  end_renamed(other, other_at, one_directory, one_name);
  note_change(*one_directory);
  return {};
}

}  // namespace pfs::store
