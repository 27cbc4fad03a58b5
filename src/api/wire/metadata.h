#pragma once

namespace pfs::api {

/// What calls carry beside their messages. Source: gRPC's "PROTOCOL-HTTP2", custom metadata.

/// From the client with each call, and back in the trailers: the id that the daemon's log lines of
/// the call have. At most 64 letters, digits and hyphens; else, or without one, the daemon makes one.
inline constexpr char kRequestIdKey[] = "pfs-request-id";
/// In the trailers of every call that a service answers: the daemon's version.
inline constexpr char kVersionKey[] = "pfs-version";

}  // namespace pfs::api
