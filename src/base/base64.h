#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace pfs {

/// The bytes that `text` stands for, line ends ignored; nullopt: it is no base64. Source: RFC 4648, 4.
std::optional<std::string> from_base64(std::string_view text);

}  // namespace pfs
