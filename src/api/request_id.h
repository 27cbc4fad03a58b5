#pragma once

#include <string>

namespace pfs::api {

/// A new id of a call, at random: 16 hex digits.
std::string new_request_id();

}  // namespace pfs::api
