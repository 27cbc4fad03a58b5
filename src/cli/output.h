#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <CLI/App.hpp>
#include <nlohmann/json.hpp>

#include "base/clock.h"
#include "cli/pager.h"
#include "cli/table.h"

namespace pfs::cli {

/// Keys stay in the order written, as people read them.
using Json = nlohmann::ordered_json;

/// How a command was asked to print what it found.
struct OutputFlags {
  bool raw = false;              ///< JSON objects, one after another
  std::string format = "table";  ///< -o: `table`, or `json` or `yaml`: one array (of `inspect`: one object)
  bool full_timestamps = false;

  bool yaml() const { return format == "yaml"; }
  /// Whether objects are wanted and no table.
  bool json() const { return raw || format != "table"; }
  /// A time as tables show it: how long ago, or in full.
  std::string time(Timestamp time) const;
};

/// --raw, -o/--output, --full-timestamps. `flags` must live as long as the command.
void add_output_flags(CLI::App& command, OutputFlags& flags);

/// A list on stdout, as a table, as JSON or as YAML. Complete when it is destroyed; a table on a
/// terminal goes through the pager, unless `terminal` says otherwise.
class Listing {
 public:
  Listing(const OutputFlags& flags, Terminal terminal, std::vector<std::string> header);
  ~Listing();
  Listing(const Listing&) = delete;
  Listing& operator=(const Listing&) = delete;

  /// Whether rows are to be given as objects; else as cells.
  bool json() const { return !table_; }
  void add_row(std::vector<Cell> row) { table_->add(std::move(row)); }
  void add_object(const Json& object);
  /// Prints what has been added, for lists that go on.
  void show();

 private:
  const bool raw_;
  const bool yaml_;
  bool first_ = true;
  std::optional<Pager> pager_;
  std::optional<Table> table_;
};

/// Labelled lines, `Name: value`, of what `inspect` found; those with an empty value are left out.
/// Shape: values are made printable here; one of several lines goes on below, two spaces in.
void print_labels(const std::vector<std::pair<std::string, std::string>>& lines);
/// Prints an object as JSON, or as the flags say.
void print_json(const Json& object);
void print_object(const OutputFlags& flags, const Json& object);
/// A field of a pipeline's spec (JSON text) in one line; empty where it is not there.
std::string spec_field(const Json& spec, const char* name);
/// RFC 3339, or null.
Json json_time(const std::optional<Timestamp>& time);

}  // namespace pfs::cli
