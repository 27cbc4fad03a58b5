#pragma once

#include <string>
#include <string_view>

namespace pfs::api {

/// The id of the call that this thread answers, for log lines and for whoever asks about them;
/// empty between calls. A thread's own, so that lines of the rooms below carry it too.
std::string_view current_request();

/// A new one, at random: 16 hex digits.
std::string new_request_id();

}  // namespace pfs::api
