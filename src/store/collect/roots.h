#pragma once

#include <functional>
#include <span>
#include <string_view>

#include "store/collect/marker.h"
#include "store/collect/store_view.h"
#include "store/repo/file_state.h"

namespace pfs::store {

/// What other rooms keep in the databases and what refers to objects there: datums, transactions of clients.
/// Errors: kCorrupt (a row that cannot be read), those of the marker.
using MarkOthers = std::function<Result<void>(const StoreView& view, Marker& marker)>;

/// What a file with changes refers to.
Result<void> mark_file(const FileState& file, Marker& marker);

/// Marks all that the view's rows refer to: commits, branches, open changes, views, snapshots of refs, and what `others` mark.
Result<void> mark_roots(const StoreView& view, std::span<const MarkOthers> others, Marker& marker);

}  // namespace pfs::store
