#pragma once

#include <cstdlib>

/// What must hold of any input to a fuzz target.
inline void require(bool holds) {
  if (!holds) std::abort();
}
