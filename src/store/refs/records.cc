#include "store/refs/records.h"

#include <fmt/format.h>

#include "base/codec.h"

namespace pfs::store {

namespace {

constexpr std::uint8_t kVersion = 1;

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
  out.u8(kVersion);
  put_ref(out, branch.ref);
  put_id(out, branch.head);
  out.raw(branch.open.bytes()).u8(branch.opened_by_hand ? 1 : 0);
  put_time(out, branch.opened);
  out.bytes(branch.open_description).bytes(branch.output_of).varint(branch.log_length);
  put_time(out, branch.created);
  return std::move(out).str();
}

Result<Branch> decode_branch(std::string_view value) {
  Decoder in = open_record(value);
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
  PFS_TRY(in.finish("branch record"));
  return branch;
}

std::string encode(const Commit& commit) {
  Encoder out;
  out.u8(kVersion).raw(commit.id.bytes()).bytes(commit.repo.str()).bytes(commit.branch.str());
  put_id(out, commit.parent);
  out.raw(commit.root.root.bytes()).raw(commit.root.data_digest.bytes());
  out.varint(commit.root.totals.files).varint(commit.root.totals.bytes).varint(commit.root.totals.links);
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
  commit.root.root = get_digest(in);
  commit.root.data_digest = get_digest(in);
  commit.root.totals.files = in.varint();
  commit.root.totals.bytes = in.varint();
  commit.root.totals.links = in.varint();
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

Result<Versioned<Repo>> load_repo(const RefDb& refs, const RepoName& name) {
  PFS_TRY_ASSIGN(const auto row, refs.get(repo_key(name)));
  if (!row) return Error{Code::kNotFound, fmt::format("repo {}: no such repo", name.str())};
  PFS_TRY_ASSIGN(auto repo, decode_repo(row->value));
  return Versioned<Repo>{std::move(repo), row->version};
}

Result<Versioned<Branch>> load_branch(const RefDb& refs, const BranchRef& ref) {
  PFS_TRY_ASSIGN(const auto row, refs.get(branch_key(ref)));
  if (!row) return Error{Code::kNotFound, fmt::format("branch {}: no such branch", ref.str())};
  PFS_TRY_ASSIGN(auto branch, decode_branch(row->value));
  return Versioned<Branch>{std::move(branch), row->version};
}

Result<Commit> load_commit(const RefDb& refs, const CommitId& id) {
  PFS_TRY_ASSIGN(const auto row, refs.get(commit_key(id)));
  if (!row) return Error{Code::kNotFound, fmt::format("commit {}: no such finished commit", id.hex())};
  return decode_commit(row->value);
}

Result<Commit> ancestor_at(const RefDb& refs, Commit commit, std::uint64_t generation) {
  while (commit.generation > generation) {
    const bool far = commit.skip && commit.skip_generation >= generation;
    const auto next = far ? commit.skip : commit.parent;
    if (!next) break;
    PFS_TRY_ASSIGN(commit, load_commit(refs, *next));
  }
  if (commit.generation != generation) {
    return Error{Code::kNotFound, fmt::format("commit {}: it has no such ancestor", commit.id.hex())};
  }
  return commit;
}

}  // namespace pfs::store
