#include "store/refs/records.h"

#include <fmt/format.h>

#include "base/codec.h"

namespace pfs::store {

namespace {

constexpr std::uint8_t kVersion = 1;
constexpr std::uint8_t kWithPolicy = 2;  // of a branch that has settings of its own for its commits
constexpr std::uint8_t kWithRelations = 3;  // of one that has a provenance or a trigger: both, behind the settings
constexpr std::uint8_t kWithTree = 4;  // of one with an owner, or a tree that its open commit begins with: both, behind those

void put_time(Encoder& out, Timestamp time) { out.signed_varint(time.nanoseconds); }
Timestamp get_time(Decoder& in) { return Timestamp{in.signed_varint()}; }

void put_id(Encoder& out, const std::optional<CommitId>& id) { out.raw(id.value_or(CommitId{}).bytes()); }
std::optional<CommitId> get_id(Decoder& in) {
  const auto bytes = in.raw(CommitId::kSize);
  if (!in.ok()) return std::nullopt;
  const auto id = CommitId::from_bytes(bytes);
  return id ? std::optional(id) : std::nullopt;
}

Digest get_digest(Decoder& in) {
  const auto bytes = in.raw(Digest::kSize);
  return in.ok() ? Digest::from_bytes(bytes) : Digest{};
}

void put_ref(Encoder& out, const BranchRef& ref) { out.bytes(ref.str()); }
BranchRef get_ref(Decoder& in) {
  auto ref = BranchRef::parse(in.bytes());
  if (!ref) in.fail();
  return ref ? std::move(*ref) : BranchRef{};
}

// Newest first: the complement of a number, as 16 hex digits.
std::string descending(std::uint64_t number) { return fmt::format("{:016x}", ~number); }

// Each 0 or, of what is set, its value and 1.
void put_policy(Encoder& out, const PolicySettings& policy) {
  const auto duration = [&](const std::optional<std::chrono::milliseconds>& set) {
    out.varint(set ? static_cast<std::uint64_t>(set->count()) + 1 : 0);
  };
  out.u8(policy.when ? static_cast<std::uint8_t>(*policy.when) : 0);
  duration(policy.after);
  duration(policy.max);
}

PolicySettings get_policy(Decoder& in) {
  PolicySettings policy;
  const auto when = in.u8();
  if (when > static_cast<std::uint8_t>(CommitWhen::kManual)) in.fail();
  if (when != 0) policy.when = static_cast<CommitWhen>(when);
  const auto duration = [&]() -> std::optional<std::chrono::milliseconds> {
    const auto set = in.varint();
    if (set > std::uint64_t{1} << 62U) in.fail();
    if (set == 0) return std::nullopt;
    return std::chrono::milliseconds(set - 1);
  };
  policy.after = duration();
  policy.max = duration();
  return policy;
}

void put_relations(Encoder& out, const Branch& branch) {
  out.varint(branch.provenance.size());
  for (const auto& ref : branch.provenance) put_ref(out, ref);
  out.u8(branch.trigger ? 1 : 0);
  if (!branch.trigger) return;
  const auto& trigger = *branch.trigger;
  out.bytes(trigger.branch.str()).bytes(trigger.cron).bytes(trigger.size).varint(trigger.commits).u8(trigger.all ? 1 : 0);
}

void get_relations(Decoder& in, Branch& branch) {
  for (auto count = in.varint(); count > 0 && in.ok(); --count) branch.provenance.push_back(get_ref(in));
  if (in.u8() == 0) return;
  BranchTrigger trigger;
  auto name = BranchName::parse(in.bytes());
  if (name) trigger.branch = std::move(*name);
  else in.fail();
  trigger.cron = in.bytes();
  trigger.size = in.bytes();
  trigger.commits = in.varint();
  trigger.all = in.u8() != 0;
  branch.trigger = std::move(trigger);
}

void put_subtree(Encoder& out, const Subtree& tree) {
  out.raw(tree.root.bytes()).raw(tree.data_digest.bytes());
  out.varint(tree.totals.files).varint(tree.totals.bytes).varint(tree.totals.links);
}

Subtree get_subtree(Decoder& in) {
  Subtree tree;
  tree.root = get_digest(in);
  tree.data_digest = get_digest(in);
  tree.totals.files = in.varint();
  tree.totals.bytes = in.varint();
  tree.totals.links = in.varint();
  return tree;
}

void put_beginning(Encoder& out, const Branch& branch) {
  out.u8(branch.owner ? 1 : 0);
  if (branch.owner) out.varint(branch.owner->uid).varint(branch.owner->gid);
  out.u8(branch.open_tree ? 1 : 0);
  if (!branch.open_tree) return;
  put_subtree(out, branch.open_tree->root);
  out.raw(branch.open_tree->links.bytes());
}

void get_beginning(Decoder& in, Branch& branch) {
  if (in.u8() != 0) {
    DirectoryOwner owner;
    owner.uid = static_cast<std::uint32_t>(in.varint());
    owner.gid = static_cast<std::uint32_t>(in.varint());
    branch.owner = owner;
  }
  if (in.u8() == 0) return;
  FinishedTree tree;
  tree.root = get_subtree(in);
  tree.links = get_digest(in);
  branch.open_tree = tree;
}

Decoder open_record(std::string_view value) {
  Decoder in(value);
  if (in.u8() != kVersion) in.fail();
  return in;
}

}  // namespace

std::string repo_key(const RepoName& name) { return fmt::format("{}{}", kRepoPrefix, name.str()); }
std::string branch_key(const BranchRef& ref) { return fmt::format("{}{}/{}", kBranchPrefix, ref.repo.str(), ref.branch.str()); }
std::string commit_key(const CommitId& id) { return "commit/" + id.hex(); }
std::string log_prefix(const BranchRef& ref) { return fmt::format("blog/{}/{}/", ref.repo.str(), ref.branch.str()); }
std::string log_key(const BranchRef& ref, std::uint64_t number) { return log_prefix(ref) + descending(number); }
std::string repo_commit_prefix(const RepoName& repo) { return fmt::format("repo-commit/{}/", repo.str()); }
std::string repo_commit_key(const Commit& commit) {
  return fmt::format("{}{}-{}", repo_commit_prefix(commit.repo),
                     descending(static_cast<std::uint64_t>(commit.finished.nanoseconds)), commit.id.hex());
}

Result<CommitId> commit_of_repo_commit_key(std::string_view key) { return CommitId::from_hex(key.substr(key.rfind('-') + 1)); }

std::string encode(const Repo& repo) {
  Encoder out;
  out.u8(kVersion).bytes(repo.name.str()).bytes(repo.description);
  put_time(out, repo.created);
  return std::move(out).str();
}

Result<Repo> decode_repo(std::string_view value) {
  Decoder in = open_record(value);
  Repo repo;
  auto name = RepoName::parse(in.bytes());
  if (name) repo.name = std::move(*name);
  repo.description = in.bytes();
  repo.created = get_time(in);
  if (!name) in.fail();
  PFS_TRY(in.finish("repo record"));
  return repo;
}

std::string encode(const Branch& branch) {
  Encoder out;
  const bool related = !branch.provenance.empty() || branch.trigger;
  const bool begun = branch.owner || branch.open_tree;
  out.u8(begun ? kWithTree : related ? kWithRelations : branch.policy.empty() ? kVersion : kWithPolicy);
  put_ref(out, branch.ref);
  put_id(out, branch.head);
  out.raw(branch.open.bytes()).u8(branch.opened_by_hand ? 1 : 0);
  put_time(out, branch.opened);
  out.bytes(branch.open_description).bytes(branch.output_of).varint(branch.log_length);
  put_time(out, branch.created);
  if (begun || related || !branch.policy.empty()) put_policy(out, branch.policy);
  if (begun || related) put_relations(out, branch);
  if (begun) put_beginning(out, branch);
  return std::move(out).str();
}

Result<Branch> decode_branch(std::string_view value) {
  Decoder in(value);
  const auto version = in.u8();
  if (version < kVersion || version > kWithTree) in.fail();
  Branch branch;
  branch.ref = get_ref(in);
  branch.head = get_id(in);
  branch.open = get_id(in).value_or(CommitId{});
  branch.opened_by_hand = in.u8() != 0;
  branch.opened = get_time(in);
  branch.open_description = in.bytes();
  branch.output_of = in.bytes();
  branch.log_length = in.varint();
  branch.created = get_time(in);
  if (version >= kWithPolicy) branch.policy = get_policy(in);
  if (version >= kWithRelations) get_relations(in, branch);
  if (version >= kWithTree) get_beginning(in, branch);
  PFS_TRY(in.finish("branch record"));
  return branch;
}

std::string encode(const Commit& commit) {
  Encoder out;
  out.u8(kVersion).raw(commit.id.bytes()).bytes(commit.repo.str()).bytes(commit.branch.str());
  put_id(out, commit.parent);
  put_subtree(out, commit.root);
  out.raw(commit.links.bytes()).varint(commit.generation);
  put_id(out, commit.skip);
  out.varint(commit.skip_generation);
  put_time(out, commit.started);
  put_time(out, commit.finished);
  out.bytes(commit.author).bytes(commit.description).varint(commit.provenance.size());
  for (const auto& cause : commit.provenance) {
    put_ref(out, cause.branch);
    out.raw(cause.commit.bytes());
  }
  return std::move(out).str();
}

Result<Commit> decode_commit(std::string_view value) {
  Decoder in = open_record(value);
  Commit commit;
  commit.id = get_id(in).value_or(CommitId{});
  auto repo = RepoName::parse(in.bytes());
  auto branch = BranchName::parse(in.bytes());
  if (repo) commit.repo = std::move(*repo);
  if (branch) commit.branch = std::move(*branch);
  commit.parent = get_id(in);
  commit.root = get_subtree(in);
  commit.links = get_digest(in);
  commit.generation = in.varint();
  commit.skip = get_id(in);
  commit.skip_generation = in.varint();
  commit.started = get_time(in);
  commit.finished = get_time(in);
  commit.author = in.bytes();
  commit.description = in.bytes();
  for (auto count = in.varint(); count > 0 && in.ok(); --count) {
    Commit::Cause cause;
    cause.branch = get_ref(in);
    cause.commit = get_id(in).value_or(CommitId{});
    commit.provenance.push_back(std::move(cause));
  }
  if (!repo || !branch) in.fail();
  PFS_TRY(in.finish("commit record"));
  return commit;
}

std::string encode(const LogEntry& entry) {
  Encoder out;
  out.u8(kVersion).varint(entry.number);
  put_id(out, entry.old_head);
  out.raw(entry.new_head.bytes());
  put_time(out, entry.when);
  out.bytes(entry.why);
  return std::move(out).str();
}

Result<LogEntry> decode_log_entry(std::string_view value) {
  Decoder in = open_record(value);
  LogEntry entry;
  entry.number = in.varint();
  entry.old_head = get_id(in);
  entry.new_head = get_id(in).value_or(CommitId{});
  entry.when = get_time(in);
  entry.why = in.bytes();
  PFS_TRY(in.finish("branch log record"));
  return entry;
}

std::string encode_cursor(Seq at) { return Encoder().u8(kVersion).u64(at.value()).str(); }

Result<Seq> decode_cursor(std::string_view value) {
  Decoder in = open_record(value);
  const Seq at(in.u64());
  PFS_TRY(in.finish("how far a listener of events has come"));
  return at;
}

ReadRef read_from(const RefDb& refs) {
  return [&refs](const std::string& key) -> Result<std::optional<std::string>> {
    PFS_TRY_ASSIGN(auto row, refs.get(key));
    if (!row) return std::optional<std::string>();
    return std::optional(std::move(row->value));
  };
}

Result<Repo> load_repo(const ReadRef& read, const RepoName& name) {
  PFS_TRY_ASSIGN(const auto row, read(repo_key(name)));
  if (!row) return Error{Code::kNotFound, fmt::format("repo {}: no such repo", name.str())};
  return decode_repo(*row);
}

Result<Branch> load_branch(const ReadRef& read, const BranchRef& ref) {
  PFS_TRY_ASSIGN(const auto row, read(branch_key(ref)));
  if (row) return decode_branch(*row);
  PFS_TRY(load_repo(read, ref.repo));
  return Error{Code::kNotFound, fmt::format("branch {}: no such branch", ref.str())};
}

Result<Commit> load_commit(const ReadRef& read, const CommitId& id) {
  PFS_TRY_ASSIGN(const auto row, read(commit_key(id)));
  if (!row) return Error{Code::kNotFound, fmt::format("commit {}: no such commit", id.hex())};
  return decode_commit(*row);
}

namespace {

// By the skip pointers, in O(log n) reads.
Result<Commit> ancestor_at(const ReadRef& read, Commit commit, std::uint64_t generation) {
  while (commit.generation > generation) {
    const bool far = commit.skip && commit.skip_generation >= generation;
    const auto next = far ? commit.skip : commit.parent;
    if (!next) break;
    PFS_TRY_ASSIGN(commit, load_commit(read, *next));
  }
  if (commit.generation != generation) {
    return Error{Code::kNotFound, fmt::format("commit {}: it has no such ancestor", commit.id.hex())};
  }
  return commit;
}

}  // namespace

Result<Commit> resolve_commit(const ReadRef& read, const CommitRef& ref) {
  CommitId id;
  std::string name;
  if (ref.id) {
    id = *ref.id;
    name = ref.repo.str() + "@" + id.hex();
  } else {
    const BranchRef branch_ref{ref.repo, *ref.branch};
    name = branch_ref.str();
    PFS_TRY_ASSIGN(const auto branch, load_branch(read, branch_ref));
    if (!branch.head) return Error{Code::kNotFound, fmt::format("branch {}: nothing has been committed yet", name)};
    id = *branch.head;
  }
  PFS_TRY_ASSIGN(auto commit, load_commit(read, id));
  if (commit.repo != ref.repo) return Error{Code::kNotFound, fmt::format("commit {}: it is of repo {}", name, commit.repo.str())};
  switch (ref.ancestry.direction) {
    case Ancestry::Direction::kNone: return commit;
    case Ancestry::Direction::kBack:
      if (ref.ancestry.steps >= commit.generation) {
        return Error{Code::kNotFound, fmt::format("commit {}^{}: its chain has {} commits", name, ref.ancestry.steps, commit.generation)};
      }
      return ancestor_at(read, commit, commit.generation - ref.ancestry.steps);
    case Ancestry::Direction::kFromRoot:
      if (ref.ancestry.steps > commit.generation) {
        return Error{Code::kNotFound, fmt::format("commit {}.{}: its chain has {} commits", name, ref.ancestry.steps, commit.generation)};
      }
      return ancestor_at(read, commit, ref.ancestry.steps);
  }
  return commit;
}

// Skew-binary skip pointers. Source: Myers, "An applicative random-access stack", 1983.
Result<void> link_to_parent(const ReadRef& read, Commit& commit) {
  if (!commit.parent) return {};
  PFS_TRY_ASSIGN(const auto parent, load_commit(read, *commit.parent));
  commit.generation = parent.generation + 1;
  commit.skip = parent.id;
  commit.skip_generation = parent.generation;
  if (parent.skip) {
    PFS_TRY_ASSIGN(const auto skipped, load_commit(read, *parent.skip));
    if (skipped.skip && parent.generation - skipped.generation == skipped.generation - skipped.skip_generation) {
      commit.skip = skipped.skip;
      commit.skip_generation = skipped.skip_generation;
    }
  }
  return {};
}

}  // namespace pfs::store
