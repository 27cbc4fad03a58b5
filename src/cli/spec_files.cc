#include "cli/spec_files.h"

#include <algorithm>

#include <boost/filesystem.hpp>
#include <fmt/format.h>

#include "cli/local_text.h"
#include "cli/url_source.h"
#include "cli/yaml_reader.h"

namespace pfs::cli {
namespace {

namespace bfs = boost::filesystem;

constexpr std::size_t kMaxBytes = 16 << 20;

bool is_spec_file(const bfs::path& path) {
  const auto extension = path.extension().string();
  return extension == ".json" || extension == ".yaml" || extension == ".yml";
}

Result<std::string> text_at(const std::string& url) {
  std::string text;
  PFS_TRY(read_url(url, [&](std::string_view bytes) -> Result<void> {
    if (text.size() + bytes.size() > kMaxBytes) return Error{Code::kTooLarge, url + ": over 16 MiB; that is no spec"};
    text += bytes;
    return {};
  }));
  return text;
}

}  // namespace

Result<std::vector<client::SpecText>> specs_in(const std::string& text, const std::string& origin) {
  const auto first = text.find_first_not_of(" \t\r\n");
  if (first == text.npos) {
    return Error{Code::kInvalid, origin + ": no spec in it; give one JSON object or YAML document for each pipeline"};
  }
  if (text[first] == '{' || text[first] == '[') return std::vector<client::SpecText>{{origin, text}};
  auto documents = read_yaml(text);
  if (!documents) return std::move(documents).error().within(origin);
  std::vector<client::SpecText> specs;
  for (const auto& document : *documents) {
    auto from = documents->size() > 1 ? fmt::format("{}, document {}", origin, specs.size() + 1) : origin;
    if (!document.is_structured()) {
      return Error{Code::kInvalid, from + ": expected a pipeline's spec, as JSON or YAML"};
    }
    specs.push_back({std::move(from), document.dump(-1, ' ', false, Json::error_handler_t::replace)});
  }
  if (specs.empty()) return Error{Code::kInvalid, origin + ": no spec in it; there are comments only"};
  return specs;
}

Result<std::vector<client::SpecText>> read_specs(const std::string& source) {
  if (is_url(source)) {
    PFS_TRY_ASSIGN(const auto text, text_at(source));
    return specs_in(text, source);
  }
  PFS_TRY_ASSIGN(const auto text, local_text(source));
  return specs_in(text, source == "-" ? "stdin" : source);
}

Result<std::vector<client::SpecText>> read_specs_in(const std::string& source) {
  boost::system::error_code error;
  if (source == "-" || is_url(source) || !bfs::is_directory(source, error)) return read_specs(source);
  std::vector<std::string> files;
  for (bfs::directory_iterator at(source, error), end; !error && at != end; at.increment(error)) {
    if (is_spec_file(at->path())) files.push_back(at->path().string());
  }
  if (error) return error_from_errno(error.value(), "read directory " + source);
  if (files.empty()) return Error{Code::kNotFound, source + ": no *.json, *.yaml or *.yml in it"};
  std::sort(files.begin(), files.end());
  std::vector<client::SpecText> specs;
  for (const auto& file : files) {
    PFS_TRY_ASSIGN(auto in_file, read_specs(file));
    std::move(in_file.begin(), in_file.end(), std::back_inserter(specs));
  }
  return specs;
}

}  // namespace pfs::cli
