#pragma once

namespace pfs::api {

/// How many bytes of a stream may be under way to who reads them slowly. Else gRPC measures the connection and lets it
/// grow: on a socket of this machine that costs tens of megabytes at both ends and gains nothing.
/// Source: GRPC_ARG_HTTP2_STREAM_LOOKAHEAD_BYTES and GRPC_ARG_HTTP2_BDP_PROBE in grpc_types.h.
inline constexpr int kWindowBytes = 2 << 20;

}  // namespace pfs::api
