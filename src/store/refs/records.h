#pragma once

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

std::string encode(const Repo& repo);
std::string encode(const Branch& branch);
std::string encode(const Commit& commit);
std::string encode(const LogEntry& entry);
Result<Repo> decode_repo(std::string_view value);
Result<Branch> decode_branch(std::string_view value);
Result<Commit> decode_commit(std::string_view value);
Result<LogEntry> decode_log_entry(std::string_view value);

/// A record and the version that a transaction on it expects.
template <class Record>
struct Versioned {
  Record record;
  Seq version;
};

/// Errors: kNotFound, naming the object.
Result<Versioned<Repo>> load_repo(const RefDb& refs, const RepoName& name);
Result<Versioned<Branch>> load_branch(const RefDb& refs, const BranchRef& ref);
Result<Commit> load_commit(const RefDb& refs, const CommitId& id);

/// The ancestor of a commit with that generation, in O(log n) reads by the skip pointers. Errors: kNotFound.
Result<Commit> ancestor_at(const RefDb& refs, Commit commit, std::uint64_t generation);

}  // namespace pfs::store
