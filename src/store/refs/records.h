#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "store/ref_db.h"
#include "store/types.h"

namespace pfs::store {

// The records that the store keeps in its RefDb, and their keys. Source: docs/format.md "Refs".

std::string repo_key(const RepoName& name);
std::string branch_key(const BranchRef& ref);
std::string commit_key(const CommitId& id);
/// The branch log: numbers sort newest first.
std::string log_key(const BranchRef& ref, std::uint64_t number);
std::string log_prefix(const BranchRef& ref);
/// Commits of a repo, newest first.
std::string repo_commit_key(const Commit& commit);
std::string repo_commit_prefix(const RepoName& repo);
Result<CommitId> commit_of_repo_commit_key(std::string_view key);
inline constexpr std::string_view kRepoPrefix = "repo/";
inline constexpr std::string_view kBranchPrefix = "branch/";
inline constexpr std::string_view kCommitPrefix = "commit/";

std::string encode(const Repo& repo);
std::string encode(const Branch& branch);
std::string encode(const Commit& commit);
std::string encode(const LogEntry& entry);
Result<Repo> decode_repo(std::string_view value);
Result<Branch> decode_branch(std::string_view value);
Result<Commit> decode_commit(std::string_view value);
Result<LogEntry> decode_log_entry(std::string_view value);

/// How far a listener of events has come.
std::string encode_cursor(Seq at);
Result<Seq> decode_cursor(std::string_view value);

/// Where records are read from: the database as it is, or a transaction that has written some of them itself.
using ReadRef = std::function<Result<std::optional<std::string>>(const std::string& key)>;
ReadRef read_from(const RefDb& refs);

/// Errors: kNotFound, naming the object; of a branch the repo, where that is not there either.
Result<Repo> load_repo(const ReadRef& read, const RepoName& name);
Result<Branch> load_branch(const ReadRef& read, const BranchRef& ref);
Result<Commit> load_commit(const ReadRef& read, const CommitId& id);

/// What a reference to a finished commit means. Errors: kNotFound (no such branch, no HEAD yet, no such ancestor; of an open
/// commit as of one that is not there: resolve_finished() tells them apart).
Result<Commit> resolve_commit(const ReadRef& read, const CommitRef& ref);
/// Sets the generation and the skip pointer of a commit whose parent is known.
Result<void> link_to_parent(const ReadRef& read, Commit& commit);

}  // namespace pfs::store
