#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>

#include "store/ref_db.h"

namespace pfs::store {

/// Told of events in their order. What it returns an error for is told again, a second later.
using EventListener = std::function<Result<void>(std::span<const RefEvent> events)>;

/// Where a listener that is heard of for the first time begins.
enum class EventStart { kOldest, kNow };

/// Tells a listener of everything that happens in a RefDb: each event at least once, in order, also what happened while
/// nobody listened. How far it has come is kept in the RefDb under the listener's name.
///
/// Owns one thread, `pfs-events`, until it is destroyed; the listener is called on it, with no locks held. The RefDb must
/// outlive it. A transaction's events are told together. Source: docs/format.md "Refs" for the events.
class EventFeed {
 public:
  /// Errors: kInvalid (a name as of a repo is wanted), kIo.
  static Result<std::unique_ptr<EventFeed>> start(RefDb& refs, const std::string& name, EventStart from, EventListener listener);
  virtual ~EventFeed() = default;
  /// How far the listener has come; it is told nothing up to here again unless the process is killed.
  virtual Seq position() const = 0;
};

}  // namespace pfs::store
