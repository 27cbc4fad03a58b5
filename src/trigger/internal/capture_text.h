#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/result.h"

namespace pfs::trigger {

/// A text in which `$1` (or `${1}`) stands for what the first group of a glob has matched: `join_on`, `group_by`. `$$` is a
/// dollar sign; one before anything else stands for itself.
///
/// An immutable value.
class CaptureText {
 public:
  /// Errors: kInvalid (a number that the glob, which has `groups`, has no group for).
  static Result<CaptureText> parse(std::string_view text, std::size_t groups);

  std::string expand(std::span<const std::string> captures) const;

 private:
  using Piece = std::variant<std::string, std::size_t>;  ///< plain text, or the index of a capture
  std::vector<Piece> pieces_;
};

}  // namespace pfs::trigger
