#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

namespace pfs::trigger {

/// Whom the users, or the groups, of a user namespace are outside of it.
///
/// Thread-safe: it is a value.
class IdMap {
 public:
  /// Of the kernel's text, lines of three numbers: the first id within, the first one outside, how many. nullopt: it is none.
  /// Source: user_namespaces(7), "/proc/pid/uid_map".
  static std::optional<IdMap> parse(std::string_view text);

  /// nullopt: the namespace has no such id.
  std::optional<std::uint32_t> outside(std::uint32_t within) const;

 private:
  struct Range {
    std::uint32_t within;
    std::uint32_t outside;
    std::uint32_t count;
  };
  std::vector<Range> ranges_;
};

}  // namespace pfs::trigger
