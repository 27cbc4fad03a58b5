#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

struct pcre2_real_code_8;  // of pcre2.h, which stays in glob_regex.cc

namespace pfs::store {

/// A glob, or one component of one, compiled to be matched. Immutable; thread-safe.
class GlobRegex {
 public:
  /// Errors: kInvalid (names the place in the pattern).
  static Result<GlobRegex> compile(std::string_view pattern);

  std::size_t groups() const { return captures_.size(); }

  /// Whether all of `text` matches; `captures`, unless null, gets what each group matched then. Errors: kInvalid (it takes too long).
  Result<bool> matches(std::string_view text, std::vector<std::string>* captures) const;

 private:
  using Compiled = std::unique_ptr<pcre2_real_code_8, void (*)(pcre2_real_code_8*)>;
  GlobRegex(Compiled code, std::vector<std::uint32_t> captures) : code_(std::move(code)), captures_(std::move(captures)) {}

  Compiled code_;
  std::vector<std::uint32_t> captures_;
};

/// What fits on one level of a tree.
struct GlobLevel {
  std::string name;                ///< when `regex` is not set: the only name
  std::optional<GlobRegex> regex;  ///< names
};

}  // namespace pfs::store
