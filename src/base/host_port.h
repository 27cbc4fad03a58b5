#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace pfs {

/// The port of pfsd on TCP, where none is said: pachd's, so that old addresses need no change.
inline constexpr std::uint16_t kDefaultPort = 30650;

/// Where on the network: `host:port`, `host`, `[::1]:port`.
struct HostPort {
  std::string host;  ///< a name or an address, of IPv6 without its brackets
  std::uint16_t port = kDefaultPort;

  /// Without a port it is kDefaultPort. Errors: kInvalid.
  static Result<HostPort> parse(std::string_view text);
  /// As parse() reads it: an IPv6 address in brackets.
  std::string str() const;
  bool operator==(const HostPort&) const = default;
};

}  // namespace pfs
