#pragma once

#include <chrono>

namespace pfs::trigger {

/// How often something that waits asks whether it is still wanted.
constexpr std::chrono::milliseconds kAskEvery{100};

/// How often a transaction is tried that loses a race against another change of the same record; races are rare and short.
constexpr int kTries = 8;

}  // namespace pfs::trigger
