#include "store/format_file.h"

#include <sstream>

#include <fmt/format.h>

#include "store/types.h"

namespace pfs::store {

namespace {

constexpr std::string_view kFormatVersion = "1";
constexpr std::string_view kFormatChunker = "1";
constexpr std::string_view kFormatDomain = "0 store";

}  // namespace

std::string FormatFile::text() const {
  return fmt::format(
      "pfs-store {}\nid {}\nfeatures-compatible \nfeatures-read-only-compatible \nfeatures-incompatible \n"
      "chunker {}\ndomain {}\n",
      kFormatVersion, id, kFormatChunker, kFormatDomain);
}

Result<FormatFile> FormatFile::parse(const std::string& path, const std::string& text) {
  FormatFile format;
  std::string version;
  std::string unknown;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    const auto space = line.find(' ');
    const auto name = line.substr(0, space);
    const auto value = space == std::string::npos ? "" : line.substr(space + 1);
    if (name == "pfs-store") version = value;
    if (name == "id") format.id = value;
    if (name == "chunker" && value != kFormatChunker) unknown = line;
    if (name == "domain" && value != kFormatDomain) unknown = line;
    // no store is opened for reading only, so that both sets decide
    if ((name == "features-read-only-compatible" || name == "features-incompatible") && unknown.empty()) unknown = value;
  }
  if (version.empty() || !CommitId::from_hex(format.id)) {
    return Error{Code::kCorrupt, fmt::format("{}: not the FORMAT file of a store; put it back from a backup, or choose another directory", path)};
  }
  if (version != kFormatVersion) {
    return Error{Code::kUnsupported, fmt::format("{}: the store has format {}, and this version of pfs knows {}; open it with the version that made it",
                                                 path, printable(version), kFormatVersion)};
  }
  if (!unknown.empty()) {
    return Error{Code::kUnsupported, fmt::format("{}: the store needs '{}', which this version of pfs does not know; open it with the version that made it",
                                                 path, printable(unknown))};
  }
  return format;
}

}  // namespace pfs::store
