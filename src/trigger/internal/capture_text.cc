#include "trigger/internal/capture_text.h"

#include <utility>

#include <fmt/format.h>

#include "base/names.h"

namespace pfs::trigger {

namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }

/// Reads `$1` or `${1}` at the front. Shape: how many bytes it has; 0 when it is none.
std::size_t read_number(std::string_view text, std::size_t& number) {
  const bool braces = text.size() > 1 && text[1] == '{';
  std::size_t at = braces ? 2 : 1;
  const std::size_t begin = at;
  constexpr std::size_t kMostDigits = 4;
  for (number = 0; at < text.size() && is_digit(text[at]) && at - begin < kMostDigits; ++at) {
    number = number * 10 + static_cast<std::size_t>(text[at] - '0');
  }
  if (at == begin) return 0;
  if (!braces) return at;
  return at < text.size() && text[at] == '}' ? at + 1 : 0;
}

}  // namespace

Result<CaptureText> CaptureText::parse(std::string_view text, std::size_t groups) {
  CaptureText parsed;
  std::string plain;
  while (!text.empty()) {
    std::size_t number = 0;
    const std::size_t length = text.front() == '$' ? read_number(text, number) : 0;
    if (length == 0) {
      plain += text.front();
      text.remove_prefix(text.starts_with("$$") ? 2 : 1);
      continue;
    }
    if (number == 0 || number > groups) {
      return Error{Code::kInvalid, fmt::format("{}: the glob has {} groups in ( )", printable(text.substr(0, length)), groups)};
    }
    if (!plain.empty()) parsed.pieces_.emplace_back(std::exchange(plain, {}));
    parsed.pieces_.emplace_back(number - 1);
    text.remove_prefix(length);
  }
  if (!plain.empty()) parsed.pieces_.emplace_back(std::move(plain));
  return parsed;
}

std::string CaptureText::expand(std::span<const std::string> captures) const {
  std::string text;
  for (const Piece& piece : pieces_) {
    if (const auto* plain = std::get_if<std::string>(&piece)) {
      text += *plain;
    } else if (const std::size_t index = std::get<std::size_t>(piece); index < captures.size()) {
      text += captures[index];
    }
  }
  return text;
}

}  // namespace pfs::trigger
