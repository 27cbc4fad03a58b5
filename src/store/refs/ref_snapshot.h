#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "store/pack/pack_format.h"
#include "store/ref_db.h"
#include "store/types.h"

namespace pfs::store {

/// What the refs were, as objects in packs: should the database be lost, repos, branches, logs and which commits were
/// published are told by the packs alone (commits themselves are objects of their own).
///
/// A snapshot tells what is new since the one before, and all repos and branches as they are. A long one is several objects,
/// its parts. Source: docs/format.md "Snapshots of refs".
struct RefSnapshot {
  Seq since;             ///< how far the snapshot before it told; 0: there is none
  Seq until;             ///< how far this one tells
  Timestamp when;
  std::uint32_t part = 0;   ///< from 0 on
  bool last_part = true;
  /// False where there was more to tell than one snapshot holds: repos and branches come with the last of the row.
  bool complete = true;

  struct Published {
    CommitId id;
    Digest object;  ///< of the commit as an object
    bool operator==(const Published&) const = default;
  };
  struct Moved {
    BranchRef branch;
    LogEntry entry;
  };
  std::vector<Published> commits;
  std::vector<Moved> log;
  std::vector<Repo> repos;
  std::vector<Branch> branches;

  /// Shape: objects of at most about kMaxPart bytes, in order.
  static constexpr std::size_t kMaxPart = std::size_t{128} << 10U;
  std::vector<std::string> encode() const;
  /// One part. Errors: kCorrupt.
  static Result<RefSnapshot> decode(std::string_view part);

  static ObjectId id_of(std::string_view part);
};

/// Reads the refs. What it names may be newer than what is durable: sync before it is written where it outlives a crash.
/// `max_events`: about how many moves of HEADs one snapshot tells.
Result<RefSnapshot> take_ref_snapshot(const RefDb& refs, Seq since, std::size_t max_events, Timestamp now);

}  // namespace pfs::store
