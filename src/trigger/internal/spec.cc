#include "trigger/internal/spec.h"

#include <iterator>
#include <set>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "trigger/internal/spec_fields.h"
#include "trigger/internal/spec_reading.h"

namespace pfs::trigger {

namespace {

using nlohmann::json;

constexpr std::size_t kMaxSpecBytes = 1 << 20;
constexpr std::uint64_t kMaxTries = 1000;

Result<PipelineSpec> read_spec(const json& object) {
  PipelineSpec spec;
  const std::string name_text = text_or(member(member(object, "pipeline"), "name"), "");
  if (name_text.empty()) return invalid_field("pipeline.name", "is required: also the name of the repo that it writes");
  auto name = RepoName::parse(name_text);
  if (!name) return invalid_field("pipeline.name", name.error().message);
  spec.name = std::move(*name);
  spec.description = text_or(member(object, "description"), "");
  PFS_TRY_ASSIGN(spec.transform, read_transform(member(object, "transform")));
  PFS_TRY_ASSIGN(spec.input, read_input(member(object, "input"), &spec.notes));
  auto branch = BranchName::parse(text_or(member(object, "output_branch"), "master"));
  if (!branch) return invalid_field("output_branch", branch.error().message);
  spec.output_branch = std::move(*branch);
  const std::string own_output = repo_field(spec.input, spec.name);
  if (!own_output.empty()) return invalid_field(own_output, "a pipeline cannot read its own output");

  PFS_TRY_ASSIGN(const std::uint64_t tries, read_count(member(object, "datum_tries"), "datum_tries"));
  if (tries != 0) spec.datum_tries = tries;
  if (spec.datum_tries > kMaxTries) return invalid_field("datum_tries", fmt::format("at most {}", kMaxTries));

  const std::string reprocess = text_or(member(object, "reprocess_spec"), "until_success");
  if (reprocess != "until_success" && reprocess != "every_job") {
    return invalid_field("reprocess_spec", "expected until_success or every_job");
  }
  spec.reprocess_every_job = reprocess == "every_job";
  const json& salt = member(object, "salt");
  if (salt.is_string() && !salt.get_ref<const std::string&>().empty()) spec.salt = salt.get<std::string>();

  const std::string merge = text_or(member(object, "output_merge"), "concat");
  if (merge != "concat" && merge != "error") return invalid_field("output_merge", "expected concat or error");
  spec.output_merge = merge == "error" ? SamePath::kError : SamePath::kConcatenate;
  PFS_TRY_ASSIGN(spec.pods, read_pod_terms(object));
  return spec;
}

/// JSON in which no object has two members of one name: of those the last would win, and nobody be told.
Result<json> parse_once(std::string_view text) {
  std::vector<std::set<std::string>> keys;  // of the objects that are open
  std::string twice;
  const auto look = [&](int, json::parse_event_t event, json& parsed) {
    if (event == json::parse_event_t::object_start) keys.emplace_back();
    if (event == json::parse_event_t::object_end) keys.pop_back();
    if (event == json::parse_event_t::key && twice.empty() && !keys.back().insert(parsed.get<std::string>()).second) {
      twice = parsed.get<std::string>();
    }
    return true;
  };
  json object = json::parse(text.begin(), text.end(), look);
  if (!twice.empty()) return invalid_field(printable(twice), "is there twice in one object");
  return object;
}

}  // namespace

Result<PipelineSpec> parse_spec(std::string_view json_text) {
  if (json_text.size() > kMaxSpecBytes) return Error{Code::kInvalid, "pipeline spec: longer than 1 MiB"};
  try {
    PFS_TRY_ASSIGN(const json object, parse_once(json_text));
    PFS_TRY_ASSIGN(auto notes, check_spec_fields(object));
    PFS_TRY_ASSIGN(PipelineSpec spec, read_spec(object));
    spec.notes.insert(spec.notes.begin(), std::make_move_iterator(notes.begin()), std::make_move_iterator(notes.end()));
    return spec;
  } catch (const json::exception& e) {
    return Error{Code::kInvalid, fmt::format("pipeline spec: {}", e.what())};
  }
}

std::string to_json(const PipelineSpec& spec) {
  json object{
      {"pipeline", {{"name", spec.name.str()}}},
      {"transform", to_json(spec.transform)},
      {"input", input_json(spec.input)},
      {"output_branch", spec.output_branch.str()},
      {"datum_tries", spec.datum_tries},
      {"reprocess_spec", spec.reprocess_every_job ? "every_job" : "until_success"},
  };
  if (!spec.description.empty()) object["description"] = spec.description;
  if (spec.salt) object["salt"] = *spec.salt;
  if (spec.output_merge == SamePath::kError) object["output_merge"] = "error";
  add_pod_terms(spec.pods, object);
  return object.dump();
}

}  // namespace pfs::trigger
