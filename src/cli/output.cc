#include "cli/output.h"

#include <cstdio>
#include <string_view>

#include <fmt/format.h>

#include "base/names.h"
#include "cli/format.h"
#include "cli/yaml.h"

namespace pfs::cli {
namespace {

/// Bytes that are no UTF-8 are replaced: names of files may hold any.
std::string dumped(const Json& object) {
  return object.dump(2, ' ', false, Json::error_handler_t::replace);
}

void print(const std::string& text) { std::fwrite(text.data(), 1, text.size(), stdout); }

/// Escape sequences are made visible; lines stay, and are none that begins with a label.
std::string printable_lines(std::string_view text) {
  std::string lines;
  while (true) {
    const auto line = text.substr(0, text.find('\n'));
    lines += printable(line);
    if (line.size() == text.size()) return lines;
    text.remove_prefix(line.size() + 1);
    lines += "\n  ";
  }
}

}  // namespace

std::string OutputFlags::time(Timestamp time) const {
  return full_timestamps ? format_time(time) : format_ago(time, SystemClock().now());
}

void add_output_flags(CLI::App& command, OutputFlags& flags) {
  command.add_flag("--raw", flags.raw, "Print JSON objects (or YAML documents), one after another");
  command.add_option("-o,--output", flags.format, "table, json or yaml")
      ->check(CLI::IsMember({"table", "json", "yaml"}));
  command.add_flag("--full-timestamps", flags.full_timestamps, "Print times in full");
}

Listing::Listing(const OutputFlags& flags, Terminal terminal, std::vector<std::string> header)
    : raw_(flags.raw), yaml_(flags.yaml()) {
  if (flags.json()) return;
  if (terminal.pager) pager_.emplace();
  table_.emplace(stdout, terminal, std::move(header));
}

Listing::~Listing() {
  if (table_ || raw_) return;
  if (yaml_) {
    if (first_) print("[]\n");
  } else {
    print(first_ ? "[]\n" : "\n]\n");
  }
}

void Listing::add_object(const Json& object) {
  if (yaml_) {
    print(raw_ ? "---\n" + yaml_of(object) : yaml_of(Json::array({object})));
  } else if (raw_) {
    print(dumped(object) + "\n");
  } else {
    print((first_ ? "[\n" : ",\n") + dumped(object));
  }
  first_ = false;
}

void Listing::show() {
  if (table_) table_->flush();
  std::fflush(stdout);
}

void print_labels(const std::vector<std::pair<std::string, std::string>>& lines) {
  for (const auto& [label, value] : lines) {
    if (!value.empty()) print(fmt::format("{}: {}\n", label, printable_lines(value)));
  }
}

void print_json(const Json& object) { print(dumped(object) + "\n"); }

void print_object(const OutputFlags& flags, const Json& object) {
  if (flags.yaml()) {
    print(yaml_of(object));
  } else {
    print_json(object);
  }
}

std::string spec_field(const Json& spec, const char* name) {
  const auto field = spec.is_object() ? spec.find(name) : spec.end();
  if (field == spec.end()) return "";
  return field->is_string() ? field->get<std::string>() : field->dump();
}

Json json_time(const std::optional<Timestamp>& time) {
  if (!time) return nullptr;
  return format_time(*time);
}

}  // namespace pfs::cli
