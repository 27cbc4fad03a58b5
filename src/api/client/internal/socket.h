#pragma once

#include "api/client/endpoint.h"
#include "base/file.h"
#include "base/result.h"

namespace pfs::client {

/// A connected socket that does not block. Connected here and not by gRPC: the errors are exact, and
/// its resolver and back-off are not waited for. Errors: as Connection::open().
Result<UniqueFd> connect_to(const Endpoint& endpoint, const Patience& patience);

/// Looks at the first bytes that come from the other end, without taking them: the SETTINGS frame
/// that every HTTP/2 server begins with. Where none come, a second connection provokes an answer to
/// tell a daemon that hangs from something else that listens there. Errors: kUnavailable, kUnsupported.
/// Source: RFC 9113, 3.4 and 6.5.
Result<void> expect_greeting(const UniqueFd& fd, const Endpoint& endpoint,
                             const Patience& patience);

}  // namespace pfs::client
