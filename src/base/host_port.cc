#include "base/host_port.h"

#include <algorithm>
#include <cctype>
#include <charconv>

#include <fmt/format.h>

#include "base/names.h"

namespace pfs {
namespace {

bool is_of_a_host(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '.' || c == '-' || c == '_';
}

bool is_of_ipv6(char c) {
  return std::isxdigit(static_cast<unsigned char>(c)) != 0 || c == ':' || c == '.' || c == '%';
}

}  // namespace

Result<HostPort> HostPort::parse(std::string_view text) {
  const auto refused = [text](const char* why) {
    return Error{Code::kInvalid,
                 fmt::format("address {}: {}; write HOST:PORT", printable(text), why)};
  };
  HostPort parsed;
  std::string_view rest;
  if (text.starts_with('[')) {
    const auto end = text.find(']');
    if (end == text.npos) return refused("its bracket is not closed");
    parsed.host = text.substr(1, end - 1);
    if (!std::all_of(parsed.host.begin(), parsed.host.end(), is_of_ipv6))
      return refused("what is in brackets is no IPv6 address");
    rest = text.substr(end + 1);
  } else {
    const auto colon = text.find(':');
    parsed.host = text.substr(0, colon);
    if (!std::all_of(parsed.host.begin(), parsed.host.end(), is_of_a_host))
      return refused("its host has characters that no host has");
    if (colon != text.npos) rest = text.substr(colon);
  }
  if (parsed.host.empty()) return refused("its host is missing");
  if (rest.empty()) return parsed;
  if (rest.front() != ':') return refused("something is behind the bracket");
  const auto digits = rest.substr(1);
  const auto* const end = digits.data() + digits.size();
  const auto read = std::from_chars(digits.data(), end, parsed.port);
  if (digits.empty() || read.ec != std::errc() || read.ptr != end)
    return refused("its port is no number up to 65535");
  return parsed;
}

std::string HostPort::str() const {
  return host.find(':') == host.npos ? fmt::format("{}:{}", host, port)
                                     : fmt::format("[{}]:{}", host, port);
}

}  // namespace pfs
