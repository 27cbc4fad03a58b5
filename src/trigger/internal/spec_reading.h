#pragma once

#include <charconv>
#include <cstdint>
#include <string>
#include <string_view>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/result.h"

namespace pfs::trigger {

// How the parts of a specification are read once check_spec_fields() has seen their types.

inline Error invalid_field(std::string_view field, std::string_view trouble) {
  return Error{Code::kInvalid, fmt::format("pipeline spec: {}: {}", field, trouble)};
}

/// The member of that name, or null: a null's members are null, too.
inline const nlohmann::json& member(const nlohmann::json& object, const char* name) {
  static const nlohmann::json nothing;
  const auto found = object.find(name);
  return found == object.end() ? nothing : *found;
}

inline std::string text_or(const nlohmann::json& value, std::string_view otherwise) {
  return value.is_string() && !value.get_ref<const std::string&>().empty() ? value.get<std::string>()
                                                                           : std::string(otherwise);
}

template <class T>
T value_or_empty(const nlohmann::json& value) {
  return value.is_null() ? T{} : value.get<T>();
}

/// A whole number, also as the text that protobuf makes of one: "3". Absent: 0.
inline Result<std::uint64_t> read_count(const nlohmann::json& value, std::string_view field) {
  if (value.is_number_unsigned()) return value.get<std::uint64_t>();
  if (!value.is_string()) return std::uint64_t{0};
  const auto& text = value.get_ref<const std::string&>();
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || end != text.data() + text.size()) {
    return invalid_field(field, "expected a whole number from 0 on");
  }
  return number;
}

inline bool has_nul(std::string_view text) { return text.find('\0') != std::string_view::npos; }

}  // namespace pfs::trigger
