#pragma once

#include <memory>

#include <spdlog/formatter.h>

namespace pfs::api {

/// How log lines look: the time, the level, the thread and, on a line that is about a call, the
/// call's request id.
std::unique_ptr<spdlog::formatter> log_formatter();

}  // namespace pfs::api
