#include "store/refs/ref_snapshot.h"

#include <map>
#include <set>

#include "base/codec.h"
#include "store/chunk/sha256.h"
#include "store/refs/records.h"

namespace pfs::store {

namespace {

constexpr std::uint8_t kSnapshotVersion = 1;
constexpr std::uint8_t kLastPart = 1;
constexpr std::uint8_t kComplete = 2;
constexpr std::size_t kEventsAtOnce = 1000;

enum class Row : std::uint8_t { kCommit = 1, kLog = 2, kRepo = 3, kBranch = 4 };

struct Head {
  Branch branch;
  Seq version;
};

template <class Record>
Result<void> scan_records(const RefDb& refs, std::string_view prefix, Result<Record> (*decode)(std::string_view),
                          const std::function<void(Record, Seq)>& add) {
  Result<void> outcome;
  PFS_TRY(refs.scan(prefix, "", [&](std::string_view, const RefValue& row) {
    auto record = decode(row.value);
    if (!record) outcome = std::move(record).error();
    else add(std::move(*record), row.version);
    return outcome.has_value();
  }));
  return outcome;
}

// The commit as an object is the bytes of its row, see RefCatalog::commit_moves.
Result<void> add_commit(const RefDb& refs, const CommitId& id, Seq since, RefSnapshot& snapshot, std::set<CommitId>& known) {
  if (known.contains(id)) return {};
  PFS_TRY_ASSIGN(const auto row, refs.get(commit_key(id)));
  if (!row || row->version <= since) return {};  // dropped since
  known.insert(id);
  snapshot.commits.push_back({id, sha256_tagged("pfs.commit.1", row->value)});
  return {};
}

Result<void> add_log(const RefDb& refs, const BranchRef& ref, Seq since, Seq until, RefSnapshot& snapshot) {
  Result<void> outcome;
  const auto first = snapshot.log.size();
  PFS_TRY(refs.scan(log_prefix(ref), "", [&](std::string_view, const RefValue& row) {
    if (row.version <= since) return false;
    if (row.version > until) return true;
    auto entry = decode_log_entry(row.value);
    if (!entry) outcome = std::move(entry).error();
    else snapshot.log.push_back({ref, std::move(*entry)});
    return outcome.has_value();
  }));
  std::reverse(snapshot.log.begin() + static_cast<std::ptrdiff_t>(first), snapshot.log.end());
  return outcome;
}

}  // namespace

// Branches are read before the events, so that a HEAD is hardly ever newer than `until`; where it is, its commit and its log
// are told beside the others, and again by the next snapshot.
Result<RefSnapshot> take_ref_snapshot(const RefDb& refs, Seq since, std::size_t max_events, Timestamp now) {
  RefSnapshot snapshot;
  snapshot.since = snapshot.until = since;
  snapshot.when = now;
  std::vector<Head> heads;
  PFS_TRY(scan_records<Repo>(refs, kRepoPrefix, decode_repo, [&](Repo repo, Seq) { snapshot.repos.push_back(std::move(repo)); }));
  PFS_TRY(scan_records<Branch>(refs, kBranchPrefix, decode_branch,
                               [&](Branch branch, Seq version) { heads.push_back({std::move(branch), version}); }));

  std::set<BranchRef> moved;
  std::set<CommitId> known;
  std::size_t seen = 0;
  for (;;) {
    PFS_TRY_ASSIGN(const auto events, refs.events(snapshot.until, kEventsAtOnce, std::chrono::milliseconds(0)));
    if (events.empty()) break;
    snapshot.until = events.back().seq;
    for (const auto& event : events) {
      auto ref = BranchRef::parse(event.key);
      if (event.kind == "branch" && event.value == "created" && ref) moved.insert(*ref);  // a renamed one brings a log
      if (event.kind == "commit") {  // one that has another parent now
        if (const auto changed = CommitId::from_hex(event.key)) PFS_TRY(add_commit(refs, *changed, since, snapshot, known));
      }
      if (event.kind != "head" || event.value.empty()) continue;  // no HEAD any more: the branch's own record says so
      ++seen;
      const auto id = CommitId::from_hex(event.value);
      if (!ref || !id) return Error{Code::kCorrupt, "event of a moved HEAD: damaged record"};
      moved.insert(std::move(*ref));
      PFS_TRY(add_commit(refs, *id, since, snapshot, known));
    }
    if (seen >= max_events) {
      snapshot.complete = false;
      break;
    }
  }
  Seq logged_until = snapshot.until;
  if (snapshot.complete) {
    logged_until = Seq(~std::uint64_t{0});
    for (const auto& [branch, version] : heads) {
      if (version <= snapshot.until) continue;
      moved.insert(branch.ref);
      if (branch.head) PFS_TRY(add_commit(refs, *branch.head, since, snapshot, known));
    }
    for (auto& head : heads) snapshot.branches.push_back(std::move(head.branch));
  } else {
    snapshot.repos.clear();
  }
  for (const auto& ref : moved) PFS_TRY(add_log(refs, ref, since, logged_until, snapshot));
  return snapshot;
}

std::vector<std::string> RefSnapshot::encode() const {
  std::vector<std::string> parts;
  std::vector<std::string> rows;
  std::size_t size = 0;
  const auto close = [&](bool last) {
    Encoder out;
    out.u8(kSnapshotVersion).u8(static_cast<std::uint8_t>((last ? kLastPart : 0) | (complete ? kComplete : 0)));
    out.varint(parts.size()).u64(since.value()).u64(until.value()).signed_varint(when.nanoseconds).varint(rows.size());
    for (const auto& row : rows) out.raw(row);
    parts.push_back(std::move(out).str());
    rows.clear();
    size = 0;
  };
  const auto add = [&](Row kind, const Encoder& fields) {
    rows.push_back(Encoder().u8(static_cast<std::uint8_t>(kind)).raw(fields.str()).str());
    size += rows.back().size();
    if (size >= kMaxPart) close(false);
  };
  for (const auto& commit : commits) add(Row::kCommit, Encoder().raw(commit.id.bytes()).raw(commit.object.bytes()));
  for (const auto& [branch, entry] : log) add(Row::kLog, Encoder().bytes(branch.str()).bytes(store::encode(entry)));
  for (const auto& repo : repos) add(Row::kRepo, Encoder().bytes(store::encode(repo)));
  for (const auto& branch : branches) add(Row::kBranch, Encoder().bytes(store::encode(branch)));
  close(true);
  return parts;
}

Result<RefSnapshot> RefSnapshot::decode(std::string_view bytes) {
  const Error damaged{Code::kCorrupt, "snapshot of refs: damaged record"};
  Decoder in(bytes);
  RefSnapshot snapshot;
  const auto version = in.u8();
  const auto flags = in.u8();
  const auto part = in.varint();
  snapshot.since = Seq(in.u64());
  snapshot.until = Seq(in.u64());
  snapshot.when = Timestamp{in.signed_varint()};
  if (!in.ok() || version != kSnapshotVersion || (flags & ~(kLastPart | kComplete)) != 0 || part > ~std::uint32_t{0}) return damaged;
  snapshot.part = static_cast<std::uint32_t>(part);
  snapshot.last_part = (flags & kLastPart) != 0;
  snapshot.complete = (flags & kComplete) != 0;
  for (auto count = in.varint(); count > 0 && in.ok(); --count) {
    switch (static_cast<Row>(in.u8())) {
      case Row::kCommit: {
        const auto id = in.raw(CommitId::kSize);
        const auto object = in.raw(Digest::kSize);
        if (!in.ok()) return damaged;
        snapshot.commits.push_back({CommitId::from_bytes(id), Digest::from_bytes(object)});
        break;
      }
      case Row::kLog: {
        auto branch = BranchRef::parse(in.bytes());
        auto entry = decode_log_entry(in.bytes());
        if (!branch || !entry) return damaged;
        snapshot.log.push_back({std::move(*branch), std::move(*entry)});
        break;
      }
      case Row::kRepo: {
        PFS_TRY_ASSIGN(auto repo, decode_repo(in.bytes()));
        snapshot.repos.push_back(std::move(repo));
        break;
      }
      case Row::kBranch: {
        PFS_TRY_ASSIGN(auto branch, decode_branch(in.bytes()));
        snapshot.branches.push_back(std::move(branch));
        break;
      }
      default: return damaged;
    }
  }
  PFS_TRY(in.finish("snapshot of refs"));
  return snapshot;
}

ObjectId RefSnapshot::id_of(std::string_view part) { return {ObjectKind::kRefs, sha256_tagged("pfs.refs.1", part)}; }

}  // namespace pfs::store
