#include "api/internal/spec_stream.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "base/names.h"

namespace pfs::api {
namespace {

/// The length of the object at the start of `text`: up to the brace that closes it, strings
/// skipped.
Result<std::size_t> object_length(std::string_view text) {
  std::size_t depth = 0;
  bool in_string = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (in_string) {
      if (c == '\\') ++i;
      if (c == '"') in_string = false;
      continue;
    }
    if (c == '"') in_string = true;
    if (c == '{') ++depth;
    if (c == '}' && --depth == 0) return i + 1;
  }
  return Error{Code::kInvalid,
               "pipeline spec: the text ends inside an object; a '}' or a '\"' is missing"};
}

/// Which of several is meant.
Error in_document(Error error, std::size_t before) {
  return before == 0 ? std::move(error) : std::move(error).within(fmt::format("document {}", before + 1));
}

}  // namespace

Result<std::vector<std::string>> split_specs(std::string_view text) {
  constexpr std::string_view kBetween =
      " \t\r\n,[]";  // an array of specs is as good as a row of them
  std::vector<std::string> specs;
  while (true) {
    text.remove_prefix(std::min(text.find_first_not_of(kBetween), text.size()));
    if (text.empty()) break;
    if (text.front() != '{') {
      return in_document(
          {Code::kInvalid,
           fmt::format("pipeline spec: '{}' where an object should begin; specs are JSON objects",
                       printable(text.substr(0, 20)))},
          specs.size());
    }
    auto length = object_length(text);
    if (!length) return in_document(std::move(length).error(), specs.size());
    specs.emplace_back(text.substr(0, *length));
    text.remove_prefix(*length);
  }
  if (specs.empty())
    return Error{Code::kInvalid,
                 "pipeline spec: the text is empty; give one JSON object for each pipeline"};
  return specs;
}

}  // namespace pfs::api
