#pragma once

#include <optional>

#include "trigger/internal/datums.h"

namespace pfs::trigger {

/// The tuples of files that an input has lost and won from one state of its branches to another.
struct DatumChange {
  std::vector<DatumMaker::Files> removed;
  std::vector<DatumMaker::Files> added;
};

/// Found by comparing trees, so that it costs what has changed and not what is there. nullopt where that cannot be said without
/// listing everything: a join or group of which a branch has changed, a cross of which two parts have, a union whose parts may
/// have the same datum, also as a part of a cross; a change below a path over 4,096 bytes. Errors as list_datums().
Result<std::optional<DatumChange>> find_change(const store::TreeReader& reader, const Input& input, const InputRoots& before,
                                               const InputRoots& after);

}  // namespace pfs::trigger
