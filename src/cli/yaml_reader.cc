#include "cli/yaml_reader.h"

#include <yaml.h>

#include <charconv>
#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include <fmt/format.h>

#include "base/names.h"

namespace pfs::cli {
namespace {

constexpr std::size_t kMaxDepth = 100;
// aliases of aliases grow without end
constexpr std::size_t kMaxValues = 1'000'000;

Error at(const yaml_mark_t& mark, std::string_view trouble) {
  return Error{Code::kInvalid, fmt::format("line {}, column {}: {}", mark.line + 1, mark.column + 1, trouble)};
}

std::string_view text_of(const yaml_char_t* text, std::size_t length) {
  return {reinterpret_cast<const char*>(text), length};
}

class Event {
 public:
  Event() = default;
  Event(const Event&) = delete;
  Event& operator=(const Event&) = delete;
  ~Event() { yaml_event_delete(&event_); }

  yaml_event_t* operator->() { return &event_; }
  yaml_event_t* get() { return &event_; }
  std::string_view scalar() const { return text_of(event_.data.scalar.value, event_.data.scalar.length); }

 private:
  yaml_event_t event_{};
};

bool is_one_of(std::string_view text, std::initializer_list<std::string_view> words) {
  for (const auto word : words) {
    if (text == word) return true;
  }
  return false;
}

template <class Number>
std::optional<Number> number_of(std::string_view text, int base = 10) {
  Number number{};
  std::from_chars_result read{};
  if constexpr (std::is_floating_point_v<Number>) {
    read = std::from_chars(text.data(), text.data() + text.size(), number);
  } else {
    read = std::from_chars(text.data(), text.data() + text.size(), number, base);
  }
  if (read.ec != std::errc{} || read.ptr != text.data() + text.size() || text.empty()) return std::nullopt;
  return number;
}

/// What a scalar without quotes means.
Json plain(std::string_view text) {
  if (is_one_of(text, {"", "~", "null", "Null", "NULL"})) return nullptr;
  if (is_one_of(text, {"true", "True", "TRUE"})) return true;
  if (is_one_of(text, {"false", "False", "FALSE"})) return false;
  const std::string_view digits = text.starts_with("+") ? text.substr(1) : text;
  if (text.starts_with("0x")) {
    if (const auto number = number_of<std::uint64_t>(text.substr(2), 16)) return *number;
  } else if (text.starts_with("0o")) {
    if (const auto number = number_of<std::uint64_t>(text.substr(2), 8)) return *number;
  } else if (digits.find_first_not_of("-.0123456789eE+") == digits.npos) {
    if (const auto number = number_of<std::uint64_t>(digits)) return *number;
    if (const auto number = number_of<std::int64_t>(digits)) return *number;
    if (const auto number = number_of<double>(digits)) return *number;
  }
  return std::string(text);
}

class Reader {
 public:
  explicit Reader(std::string_view text) {
    yaml_parser_initialize(&parser_);
    yaml_parser_set_input_string(&parser_, reinterpret_cast<const unsigned char*>(text.data()), text.size());
  }
  Reader(const Reader&) = delete;
  Reader& operator=(const Reader&) = delete;
  ~Reader() { yaml_parser_delete(&parser_); }

  Result<std::vector<Json>> documents() {
    std::vector<Json> all;
    auto read = read_into(all);
    if (read) return all;
    // the first needs no number: it may be the only one
    return all.empty() ? std::move(read).error() : std::move(read).error().within(fmt::format("document {}", all.size() + 1));
  }

 private:
  Result<void> read_into(std::vector<Json>& all) {
    while (true) {
      Event event;
      PFS_TRY(next(event));
      if (event->type == YAML_STREAM_END_EVENT) return {};
      if (event->type != YAML_DOCUMENT_START_EVENT) continue;  // the start of the stream, the end of a document
      anchors_.clear();
      Event root;
      PFS_TRY(next(root));
      PFS_TRY_ASSIGN(Json document, value(root, 0));
      if (!document.is_null()) all.push_back(std::move(document));
    }
  }

  Result<void> next(Event& event) {
    if (yaml_parser_parse(&parser_, event.get()) == 1) return {};
    const char* problem = parser_.problem != nullptr ? parser_.problem : "no YAML";
    if (parser_.error == YAML_READER_ERROR) {
      return Error{Code::kInvalid, fmt::format("byte {}: {}", parser_.problem_offset, problem)};
    }
    return at(parser_.problem_mark, problem);
  }

  Result<Json> value(Event& event, std::size_t depth) {
    if (depth > kMaxDepth) return at(event->start_mark, "nested too deep");
    if (++values_ > kMaxValues) return at(event->start_mark, "more than a million values");
    switch (event->type) {
      case YAML_ALIAS_EVENT: return alias(event);
      case YAML_SCALAR_EVENT: return scalar(event);
      case YAML_SEQUENCE_START_EVENT: return sequence(event, depth);
      case YAML_MAPPING_START_EVENT: return mapping(event, depth);
      default: return at(event->start_mark, "expected a value");
    }
  }

  Result<Json> alias(Event& event) {
    const std::string name(reinterpret_cast<const char*>(event->data.alias.anchor));
    const auto found = anchors_.find(name);
    if (found == anchors_.end()) return at(event->start_mark, fmt::format("no anchor '{}' before this", printable(name)));
    values_ += found->second.values;
    if (values_ > kMaxValues) return at(event->start_mark, "more than a million values");
    return found->second.value;
  }

  Result<Json> scalar(Event& event) {
    const auto& scalar = event->data.scalar;
    Json read = scalar.plain_implicit != 0 ? plain(event.scalar()) : Json(std::string(event.scalar()));
    if (scalar.tag != nullptr) {
      const std::string_view tag = reinterpret_cast<const char*>(scalar.tag);
      if (tag != YAML_STR_TAG && tag != "!") {
        return at(event->start_mark, fmt::format("tag {}: only !!str is known", printable(tag)));
      }
      read = std::string(event.scalar());
    }
    remember(scalar.anchor, read, 1);
    return read;
  }

  Result<Json> sequence(Event& event, std::size_t depth) {
    PFS_TRY(refuse_tag(event, event->data.sequence_start.tag));
    const std::size_t before = values_;
    Json list = Json::array();
    while (true) {
      Event item;
      PFS_TRY(next(item));
      if (item->type == YAML_SEQUENCE_END_EVENT) break;
      PFS_TRY_ASSIGN(Json read, value(item, depth + 1));
      list.push_back(std::move(read));
    }
    remember(event->data.sequence_start.anchor, list, values_ - before);
    return list;
  }

  Result<Json> mapping(Event& event, std::size_t depth) {
    PFS_TRY(refuse_tag(event, event->data.mapping_start.tag));
    const std::size_t before = values_;
    Json object = Json::object();
    while (true) {
      Event key;
      PFS_TRY(next(key));
      if (key->type == YAML_MAPPING_END_EVENT) break;
      if (key->type != YAML_SCALAR_EVENT) return at(key->start_mark, "expected a name as the key");
      const std::string name(key.scalar());
      if (object.contains(name)) return at(key->start_mark, fmt::format("'{}' is there twice", printable(name)));
      Event item;
      PFS_TRY(next(item));
      PFS_TRY_ASSIGN(Json read, value(item, depth + 1));
      object[name] = std::move(read);
    }
    remember(event->data.mapping_start.anchor, object, values_ - before);
    return object;
  }

  static Result<void> refuse_tag(Event& event, const yaml_char_t* tag) {
    if (tag == nullptr) return {};
    return at(event->start_mark, fmt::format("tag {}: only !!str is known", printable(reinterpret_cast<const char*>(tag))));
  }

  void remember(const yaml_char_t* anchor, const Json& value, std::size_t values) {
    if (anchor != nullptr) anchors_[reinterpret_cast<const char*>(anchor)] = {value, values};
  }

  struct Anchor {
    Json value;
    std::size_t values = 0;  // in it
  };
  yaml_parser_t parser_{};
  std::size_t values_ = 0;
  std::map<std::string, Anchor> anchors_;
};

}  // namespace

Result<std::vector<Json>> read_yaml(std::string_view text) { return Reader(text).documents(); }

}  // namespace pfs::cli
