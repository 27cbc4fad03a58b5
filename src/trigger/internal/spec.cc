#include "trigger/internal/spec.h"

#include <iterator>
#include <set>
#include <string>
#include <vector>

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

/// How far JSON has been read, as the path of a field.
class ReadingPlace {
 public:
  /// Takes what the parser tells. Shape: false for a key that its object has had already.
  bool take(json::parse_event_t event, const json& parsed) {
    switch (event) {
      case json::parse_event_t::object_start: open_.push_back({}); break;
      case json::parse_event_t::array_start: open_.push_back({.is_list = true}); break;
      case json::parse_event_t::key:
        open_.back().key = parsed.get<std::string>();
        return open_.back().keys.insert(open_.back().key).second;
      case json::parse_event_t::object_end:
      case json::parse_event_t::array_end:
        open_.pop_back();
        [[fallthrough]];
      case json::parse_event_t::value:
        if (!open_.empty()) ++open_.back().number;
        break;
    }
    return true;
  }

  std::string path() const {
    std::string text;
    for (const Opened& one : open_) {
      if (one.is_list) text += fmt::format("[{}]", one.number);
      else text += (text.empty() ? "" : ".") + printable(one.key);
    }
    return text.empty() ? "the text" : text;
  }

 private:
  struct Opened {
    bool is_list = false;
    std::size_t number = 0;  // of members before
    std::string key = {};
    std::set<std::string> keys = {};
  };
  std::vector<Opened> open_;
};

/// JSON in which no object has two members of one name: of those the last would win, and nobody be told.
Result<json> parse_once(std::string_view text) {
  ReadingPlace place;
  std::string twice;
  const auto look = [&](int, json::parse_event_t event, json& parsed) {
    if (!place.take(event, parsed) && twice.empty()) twice = place.path();
    return true;
  };
  try {
    json object = json::parse(text.begin(), text.end(), look);
    if (!twice.empty()) return invalid_field(twice, "is there twice in one object");
    return object;
  } catch (const json::out_of_range&) {
    return invalid_field(place.path(), "a number that is too large");
  }
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

Result<void> check_new_spec(const PipelineSpec& spec) {
  PFS_TRY(check_image(spec.transform.image));
  PFS_TRY(check_secret_places(spec.transform));
  PFS_TRY(check_variables(spec.input));
  return check_metadata(spec.pods);
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
