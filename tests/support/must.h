#pragma once

#include <stdexcept>
#include <utility>

#include "base/result.h"

namespace pfs::test {

/// The value of a call that must succeed; throws with its words when it does not.
template <class T>
T must(Result<T> result) {
  if (!result) throw std::runtime_error(result.error().message);
  return *std::move(result);
}
inline void must(Result<void> result) {
  if (!result) throw std::runtime_error(result.error().message);
}

}  // namespace pfs::test
