#pragma once

#include "base/error.h"

namespace pfs::fs {

/// The errno that a shell user expects. Total over Code. Source: docs/semantics.md "Errors".
int to_errno(Code code);

}  // namespace pfs::fs
