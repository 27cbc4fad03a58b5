#include "store/tree/glob_regex.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include <array>

#include <fmt/format.h>

#include "base/names.h"
#include "store/tree/glob_syntax.h"

namespace pfs::store {

namespace {

// Bounds what a pattern with many groups may cost on one path.
constexpr std::uint32_t kMatchLimit = 1'000'000;

}  // namespace

Result<GlobRegex> GlobRegex::compile(std::string_view pattern) {
  PFS_TRY_ASSIGN(TranslatedGlob glob, translate_glob(pattern));
  int code = 0;
  PCRE2_SIZE offset = 0;
  Compiled compiled(pcre2_compile(reinterpret_cast<PCRE2_SPTR>(glob.regex.data()), glob.regex.size(), 0, &code, &offset, nullptr),
                &pcre2_code_free);
  if (!compiled) {
    std::array<PCRE2_UCHAR, 128> text{};
    pcre2_get_error_message(code, text.data(), text.size());
    return Error{Code::kInvalid, fmt::format("glob '{}': {}", pattern, reinterpret_cast<const char*>(text.data()))};
  }
  return GlobRegex(std::move(compiled), std::move(glob.captures));
}

Result<bool> GlobRegex::matches(std::string_view text, std::vector<std::string>* captures) const {
  const std::unique_ptr<pcre2_match_data, decltype(&pcre2_match_data_free)> data(
      pcre2_match_data_create_from_pattern(code_.get(), nullptr), &pcre2_match_data_free);
  const std::unique_ptr<pcre2_match_context, decltype(&pcre2_match_context_free)> context(pcre2_match_context_create(nullptr),
                                                                                          &pcre2_match_context_free);
  pcre2_set_match_limit(context.get(), kMatchLimit);
  const int found =
      pcre2_match(code_.get(), reinterpret_cast<PCRE2_SPTR>(text.data()), text.size(), 0, 0, data.get(), context.get());
  if (found == PCRE2_ERROR_NOMATCH) return false;
  if (found < 0) {
    return Error{Code::kInvalid, fmt::format("'{}' takes too long to match against the glob", printable(text))};
  }
  if (captures == nullptr) return true;
  const PCRE2_SIZE* offsets = pcre2_get_ovector_pointer(data.get());
  const std::uint32_t count = pcre2_get_ovector_count(data.get());
  for (const std::uint32_t group : captures_) {
    const bool set = group < count && offsets[2 * group] != PCRE2_UNSET;
    captures->push_back(set ? std::string(text.substr(offsets[2 * group], offsets[2 * group + 1] - offsets[2 * group])) : "");
  }
  return true;
}

}  // namespace pfs::store
