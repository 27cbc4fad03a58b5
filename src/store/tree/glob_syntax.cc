#include "store/tree/glob_syntax.h"

#include <cctype>
#include <optional>

#include <fmt/format.h>

namespace pfs::store {

namespace {

constexpr int kMaxDepth = 32;
// A character of UTF-8 or, where the bytes are none, one byte; atomic, so that no byte of a character is left over.
constexpr std::string_view kOneCharacter = "(?>[\\xc2-\\xf4][\\x80-\\xbf]{1,3}|[^/])";

bool is_plain(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return byte >= 0x80 || std::isalnum(byte) != 0 || c == '_' || c == '/';
}

void append_literal(std::string& out, char c) {
  if (!is_plain(c)) out += '\\';
  out += c;
}

bool opens_group(std::string_view pattern, std::size_t at) {
  return at + 1 < pattern.size() && pattern[at + 1] == '(' &&
         std::string_view("@*+?!").find(pattern[at]) != std::string_view::npos;
}

/// Recursive descent over the pattern; writes the regular expression as it goes.
class Translator {
 public:
  explicit Translator(std::string_view pattern) : pattern_(pattern) {}

  Result<TranslatedGlob> translate() {
    PFS_TRY(sequence({}, 0));
    return TranslatedGlob{"(?s)\\A(?:" + out_ + ")\\z", std::move(captures_)};
  }

 private:
  Error error(std::size_t at, std::string_view trouble) const {
    return Error{Code::kInvalid, fmt::format("glob '{}': {} at character {}", pattern_, trouble, at + 1)};
  }
  bool at_end() const { return at_ >= pattern_.size(); }
  char peek(std::size_t ahead = 0) const { return at_ + ahead < pattern_.size() ? pattern_[at_ + ahead] : '\0'; }

  /// Up to one of `stops` (which is not consumed), or to the end of the pattern.
  Result<void> sequence(std::string_view stops, int depth) {
    if (depth > kMaxDepth) return error(at_, "groups nested too deeply");
    while (!at_end() && stops.find(peek()) == std::string_view::npos) PFS_TRY(item(depth));
    return {};
  }

  Result<void> item(int depth) {
    if (opens_group(pattern_, at_)) {
      const char quantifier = peek();
      at_ += 2;
      return group(quantifier, depth);
    }
    const char c = pattern_[at_++];
    switch (c) {
      case '(': return group('@', depth);
      case ')': return error(at_ - 1, "')' without '('");
      case '[': return character_class();
      case '{': return alternatives(depth);
      case '?': out_ += kOneCharacter; return {};
      case '*': star(); return {};
      case '\\':
        if (at_end()) return error(at_ - 1, "nothing after the backslash");
        append_literal(out_, pattern_[at_++]);
        return {};
      case '\0': return error(at_ - 1, "a NUL byte");
      default: append_literal(out_, c); return {};
    }
  }

  void star() {
    bool crosses = false;
    while (peek() == '*' && !opens_group(pattern_, at_)) {
      crosses = true;
      ++at_;
    }
    out_ += crosses ? ".*" : "[^/]*";
  }

  Result<void> alternatives(int depth) {
    const std::size_t opened = at_ - 1;
    out_ += "(?:";
    PFS_TRY(list(",", '}', opened, depth));
    out_ += ')';
    return {};
  }

  /// `a|b)` or `a,b}`, the end consumed; opened at `opened`.
  Result<void> list(std::string_view separator, char end, std::size_t opened, int depth) {
    const std::string stops = std::string(separator) + end;
    while (true) {
      PFS_TRY(sequence(stops, depth + 1));
      if (at_end()) return error(opened, fmt::format("no '{}' for what opens", end));
      const char stop = pattern_[at_++];
      if (stop == end) return {};
      out_ += '|';
    }
  }

  Result<void> group(char quantifier, int depth) {
    const std::size_t opened = at_ - 1;
    captures_.push_back(++groups_);
    if (quantifier == '!') return negated_group(opened, depth);
    out_ += "((?:";
    PFS_TRY(list("|", ')', opened, depth));
    out_ += ')';
    if (quantifier != '@') out_ += quantifier;
    out_ += ')';
    return {};
  }

  /// `!(p)` is any text within a component that p does not match as a whole. The text is chosen first, in a look-ahead
  /// that may be backtracked into, with all that follows it; p must then not match from here to exactly that rest.
  Result<void> negated_group(std::size_t opened, int depth) {
    const std::uint32_t text = ++groups_;
    const std::uint32_t rest = ++groups_;
    out_ += "((?*([^/]*)(.*)\\z)(?!(?:";
    PFS_TRY(list("|", ')', opened, depth));
    out_ += fmt::format(")\\g{{{}}}\\z)\\g{{{}}})", rest, text);
    return {};
  }

  Result<void> character_class() {
    const std::size_t opened = at_ - 1;
    const bool negated = peek() == '!' || peek() == '^';
    if (negated) ++at_;
    std::string set;                 // the inside of a class of single bytes
    std::string longer;              // |é: characters of several bytes
    for (bool first = true; first || peek() != ']'; first = false) {
      if (at_end()) return error(opened, "no ']' for what opens");
      if (peek() == '[' && peek(1) == ':') {
        PFS_TRY(named_class(set));
        continue;
      }
      PFS_TRY_ASSIGN(const std::string low, class_character(opened));
      if (peek() == '-' && peek(1) != ']' && at_ + 1 < pattern_.size()) {
        ++at_;
        PFS_TRY_ASSIGN(const std::string high, class_character(opened));
        if (low.size() > 1 || high.size() > 1) return error(opened, "a range of characters outside ASCII");
        if (low > high) return error(opened, "a range that runs backwards");
        set += fmt::format("\\x{:02x}-\\x{:02x}", static_cast<unsigned char>(low[0]), static_cast<unsigned char>(high[0]));
      } else if (low.size() == 1) {
        set += fmt::format("\\x{:02x}", static_cast<unsigned char>(low[0]));
      } else {
        longer += "|" + low;
      }
    }
    ++at_;
    const std::string members = set.empty() ? "(?:" + longer.substr(1) + ")" : "(?:[" + set + "]" + longer + ")";
    out_ += negated ? "(?!" + members + ")" + std::string(kOneCharacter) : "(?!/)" + members;
    return {};
  }

  Result<void> named_class(std::string& set) {
    const auto end = pattern_.find(":]", at_ + 2);
    if (end == std::string_view::npos) return error(at_, "no ':]' for what opens");
    for (const char c : pattern_.substr(at_ + 2, end - at_ - 2)) {
      if (c != '^' && std::islower(static_cast<unsigned char>(c)) == 0) return error(at_, "no such class");
    }
    set += pattern_.substr(at_, end + 2 - at_);  // PCRE2 knows the same names, and refuses others
    at_ = end + 2;
    return {};
  }

  /// One character of a class: a byte, or the bytes of one UTF-8 character.
  Result<std::string> class_character(std::size_t opened) {
    if (peek() == '\\' && at_ + 1 < pattern_.size()) ++at_;
    if (at_end()) return error(opened, "no ']' for what opens");
    std::string character(1, pattern_[at_++]);
    if (static_cast<unsigned char>(character[0]) < 0xc2) return character;
    while (character.size() < 4 && (static_cast<unsigned char>(peek()) & 0xc0) == 0x80) character += pattern_[at_++];
    return character;
  }

  std::string_view pattern_;
  std::size_t at_ = 0;
  std::string out_;
  std::uint32_t groups_ = 0;
  std::vector<std::uint32_t> captures_;
};

/// What a component is made of, as far as it matters to where it ends.
struct Scan {
  std::size_t end = 0;   ///< of the component
  bool crosses = false;  ///< a match of it may hold a slash
  bool literal = true;
  std::string plain;
};

Scan scan_component(std::string_view pattern, std::size_t at) {
  Scan scan;
  int depth = 0;
  for (; at < pattern.size(); ++at) {
    const char c = pattern[at];
    if (c == '\\' && at + 1 < pattern.size()) {
      scan.plain += pattern[++at];
      // an escaped slash is a slash: the component cannot be matched by itself
      if (pattern[at] == '/') scan.crosses = true;
      continue;
    }
    if (c == '/' && depth == 0) break;
    if (c == '/') scan.crosses = true;
    if (c == '*' && at + 1 < pattern.size() && pattern[at + 1] == '*') scan.crosses = true;
    if (c == '[') {
      // a class never matches a slash; its brackets and braces are members
      auto close = pattern.find(']', at + 2);
      for (auto named = pattern.find("[:", at + 1); named != std::string_view::npos && named < close;
           named = pattern.find("[:", named + 2)) {
        const auto named_end = pattern.find(":]", named);
        if (named_end != std::string_view::npos) close = pattern.find(']', named_end + 2);
      }
      scan.literal = false;
      if (close != std::string_view::npos) at = close;
      continue;
    }
    if (c == '(' || c == '{') ++depth;
    if ((c == ')' || c == '}') && depth > 0) --depth;
    if (std::string_view("*?(){}").find(c) != std::string_view::npos) scan.literal = false;
    scan.plain += c;
  }
  scan.end = at;
  return scan;
}

}  // namespace

Result<TranslatedGlob> translate_glob(std::string_view pattern) { return Translator(pattern).translate(); }

GlobComponents split_glob(std::string_view pattern) {
  GlobComponents result;
  for (std::size_t at = 0; at <= pattern.size();) {
    Scan scan = scan_component(pattern, at);
    if (scan.crosses) {
      result.complete = false;
      break;
    }
    result.components.push_back(
        {scan.literal ? std::move(scan.plain) : std::string(pattern.substr(at, scan.end - at)), scan.literal});
    at = scan.end + 1;
  }
  return result;
}

}  // namespace pfs::store
