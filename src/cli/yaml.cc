#include "cli/yaml.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include <fmt/format.h>

namespace pfs::cli {
namespace {

/// What older readers take for a truth value or nothing.
constexpr std::array<std::string_view, 10> kWords = {"true", "false", "yes", "no", "on",
                                                     "off",  "null",  "y",   "n",  ""};

bool is_plain(const std::string& text) {
  std::string lower = text;
  std::transform(lower.begin(), lower.end(), lower.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  if (std::find(kWords.begin(), kWords.end(), lower) != kWords.end()) return false;
  const auto first = static_cast<unsigned char>(text.front());
  // what begins with a digit may be a number or a time
  if (std::isalpha(first) == 0 && first != '/' && first != '_') return false;
  return std::all_of(text.begin(), text.end(), [](unsigned char c) {
    return std::isalnum(c) != 0 || c == '_' || c == '-' || c == '.' || c == '/' || c == '@';
  });
}

/// Characters that JSON has as they are, while YAML knows none of them or takes them for the end of a line.
/// Source: YAML 1.2, "c-printable" and "b-char"; YAML 1.1 for U+2028 and U+2029.
bool is_escaped(char32_t c) {
  return (c >= 0x7F && c < 0xA0) || c == 0x2028 || c == 0x2029 || c == 0xFEFF || c == 0xFFFE || c == 0xFFFF;
}

/// The text of a JSON string for YAML between quotes, where `\u0085` means the same.
std::string with_escapes(const std::string& json) {
  std::string text;
  for (std::size_t i = 0; i < json.size();) {
    const auto lead = static_cast<unsigned char>(json[i]);
    const std::size_t length = std::min<std::size_t>(lead < 0x80 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4, json.size() - i);
    char32_t c = length == 1 ? lead : lead & (0xFFU >> (length + 1));
    for (std::size_t k = 1; k < length; ++k) c = c << 6U | (static_cast<unsigned char>(json[i + k]) & 0x3FU);
    if (is_escaped(c)) text += fmt::format("\\u{:04x}", static_cast<std::uint32_t>(c));
    else text.append(json, i, length);
    i += length;
  }
  return text;
}

std::string scalar(const Json& value) {
  if (value.is_string() && is_plain(value.get_ref<const std::string&>()))
    return value.get<std::string>();
  auto text = value.dump(-1, ' ', false, Json::error_handler_t::replace);
  return value.is_string() ? with_escapes(text) : text;
}

void add(const Json& value, std::size_t indent, std::string& out);

/// What stands behind `key:` or `-`.
void add_behind(const Json& value, std::size_t indent, bool in_list, std::string& out) {
  if (!value.is_structured() || value.empty()) {
    out += ' ' + scalar(value) + '\n';
  } else if (in_list) {
    // the first line goes behind the dash
    std::string text;
    add(value, indent + 2, text);
    out += ' ' + text.substr(indent + 2);
  } else {
    out += '\n';
    add(value, indent + 2, out);
  }
}

void add(const Json& value, std::size_t indent, std::string& out) {
  const std::string margin(indent, ' ');
  if (value.is_object() && !value.empty()) {
    for (const auto& [key, member] : value.items()) {
      out += margin + scalar(Json(key)) + ':';
      add_behind(member, indent, false, out);
    }
  } else if (value.is_array() && !value.empty()) {
    for (const auto& member : value) {
      out += margin + '-';
      add_behind(member, indent, true, out);
    }
  } else {
    out += margin + scalar(value) + '\n';
  }
}

}  // namespace

std::string yaml_of(const Json& value) {
  std::string text;
  add(value, 0, text);
  return text;
}

}  // namespace pfs::cli
