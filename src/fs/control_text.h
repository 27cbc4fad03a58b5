#pragma once

#include <string>
#include <vector>

#include "store/catalog.h"

namespace pfs::fs {

/// What `.pfs/commit` says when it is read: the open commit, what it holds, what it waits for. One
/// `name: value` a line. Source: docs/semantics.md S31, S48.
std::string text_of_open_commit(const store::Branch& branch, const store::OpenCommit& open);

/// What `.pfs/log` says: a HEAD a line, newest first: number, time, commit, why. Source:
/// docs/semantics.md S32.
std::string text_of_log(const std::vector<store::LogEntry>& entries);

/// A line written into `.pfs/commit` as a commit's description: without the final newline.
std::string description_of_message(std::string_view message);

}  // namespace pfs::fs
