#pragma once

#include <span>
#include <string>
#include <vector>

#include "store/collect/dead_list.h"
#include "store/collect/roots.h"

namespace pfs::store {

// What a collection finds out beside the store, in a process of its own: its memory does not follow what the store holds.
// Source: docs/architecture.md "Collection".

/// The objects that memory alone led to, for the view's directory.
Result<void> write_held(const std::string& directory, std::span<const ObjectId> held);

/// Finds out what nothing leads to and writes the list of it into the view's directory.
/// Errors: kCorrupt (something that is referred to is damaged or missing: nothing may be taken then), kNoSpace, kIo.
Result<void> mark_view(const std::string& store_path, const std::string& directory, std::span<const MarkOthers> others);

std::string dead_list_of(const std::string& directory);

}  // namespace pfs::store
