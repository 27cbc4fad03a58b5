#include "trigger/internal/spec.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "trigger/internal/spec_fields.h"

namespace pfs::trigger {

namespace {

using nlohmann::json;

constexpr std::size_t kMaxSpecBytes = 1 << 20;
constexpr std::uint64_t kMaxTries = 1000;

Error invalid(std::string_view field, std::string_view trouble) {
  return Error{Code::kInvalid, fmt::format("pipeline spec: {}: {}", field, trouble)};
}

/// The member of that name, or an empty object, list, … that reads as nothing.
const json& member(const json& object, const char* name) {
  static const json nothing;
  const auto found = object.find(name);
  return found == object.end() ? nothing : *found;
}

std::string text_or(const json& value, std::string_view otherwise) {
  return value.is_string() && !value.get_ref<const std::string&>().empty() ? value.get<std::string>()
                                                                           : std::string(otherwise);
}

template <class T>
T value_or_empty(const json& value) {
  return value.is_null() ? T{} : value.get<T>();
}

bool has_nul(std::string_view text) { return text.find('\0') != std::string_view::npos; }

Result<PipelineSpec::Transform> read_transform(const json& object) {
  PipelineSpec::Transform transform;
  transform.image = text_or(member(object, "image"), "");
  transform.cmd = value_or_empty<std::vector<std::string>>(member(object, "cmd"));
  transform.stdin_lines = value_or_empty<std::vector<std::string>>(member(object, "stdin"));
  transform.env = value_or_empty<std::map<std::string, std::string>>(member(object, "env"));
  transform.user = text_or(member(object, "user"), "");
  transform.working_dir = text_or(member(object, "working_dir"), "");
  transform.accept_return_code = value_or_empty<std::vector<int>>(member(object, "accept_return_code"));

  if (transform.image.empty()) return invalid("transform.image", "is required: the image in which the command runs");
  if (transform.cmd.empty()) return invalid("transform.cmd", R"(is required: the command, for instance ["sh"])");
  if (transform.image.front() == '-' || has_nul(transform.image)) return invalid("transform.image", "no image's name");
  for (const std::string& argument : transform.cmd) {
    if (has_nul(argument)) return invalid("transform.cmd", "a NUL byte in an argument");
  }
  for (const auto& [name, value] : transform.env) {
    if (name.empty() || name.find('=') != std::string::npos || has_nul(name) || has_nul(value)) {
      return invalid("transform.env", fmt::format("'{}' cannot be a variable", printable(name)));
    }
  }
  if (!transform.working_dir.empty() && (transform.working_dir.front() != '/' || has_nul(transform.working_dir))) {
    return invalid("transform.working_dir", "expected an absolute path");
  }
  for (const char c : transform.user) {
    if (c <= ' ' || c == ':') return invalid("transform.user", "expected a user's name or number");
  }
  return transform;
}

Result<PipelineSpec> read_spec(const json& object) {
  PipelineSpec spec;
  const std::string name_text = text_or(member(member(object, "pipeline"), "name"), "");
  if (name_text.empty()) return invalid("pipeline.name", "is required: also the name of the repo that it writes");
  auto name = RepoName::parse(name_text);
  if (!name) return invalid("pipeline.name", name.error().message);
  spec.name = std::move(*name);
  spec.description = text_or(member(object, "description"), "");
  PFS_TRY_ASSIGN(spec.transform, read_transform(member(object, "transform")));
  PFS_TRY_ASSIGN(spec.input, read_input(member(object, "input")));
  auto branch = BranchName::parse(text_or(member(object, "output_branch"), "master"));
  if (!branch) return invalid("output_branch", branch.error().message);
  spec.output_branch = std::move(*branch);
  for (const BranchRef& read : branches_of(spec.input)) {
    if (read.repo == spec.name) return invalid("input.pfs.repo", "a pipeline cannot read its own output");
  }

  const json& tries = member(object, "datum_tries");
  if (!tries.is_null() && tries != 0) spec.datum_tries = tries.get<std::uint64_t>();
  if (spec.datum_tries > kMaxTries) return invalid("datum_tries", fmt::format("at most {}", kMaxTries));

  const std::string reprocess = text_or(member(object, "reprocess_spec"), "until_success");
  if (reprocess != "until_success" && reprocess != "every_job") {
    return invalid("reprocess_spec", "expected until_success or every_job");
  }
  spec.reprocess_every_job = reprocess == "every_job";
  if (const json& salt = member(object, "salt"); !salt.is_null() && salt != "") spec.salt = salt.get<std::string>();

  const json& workers = member(member(object, "parallelism_spec"), "constant");
  if (!workers.is_null() && workers.get<std::uint64_t>() > 1) {
    return Error{Code::kUnsupported, "pipeline spec: parallelism_spec.constant: more than 1 is not supported yet"};
  }
  return spec;
}

}  // namespace

Result<PipelineSpec> parse_spec(std::string_view json_text) {
  if (json_text.size() > kMaxSpecBytes) return Error{Code::kInvalid, "pipeline spec: longer than 1 MiB"};
  try {
    const json object = json::parse(json_text);
    PFS_TRY(check_spec_fields(object));
    return read_spec(object);
  } catch (const json::exception& e) {
    return Error{Code::kInvalid, fmt::format("pipeline spec: {}", e.what())};
  }
}

std::string to_json(const PipelineSpec& spec) {
  json transform{{"image", spec.transform.image}, {"cmd", spec.transform.cmd}};
  if (!spec.transform.stdin_lines.empty()) transform["stdin"] = spec.transform.stdin_lines;
  if (!spec.transform.env.empty()) transform["env"] = spec.transform.env;
  if (!spec.transform.user.empty()) transform["user"] = spec.transform.user;
  if (!spec.transform.working_dir.empty()) transform["working_dir"] = spec.transform.working_dir;
  if (!spec.transform.accept_return_code.empty()) transform["accept_return_code"] = spec.transform.accept_return_code;
  json object{
      {"pipeline", {{"name", spec.name.str()}}},
      {"transform", std::move(transform)},
      {"parallelism_spec", {{"constant", 1}}},
      {"input", input_json(spec.input)},
      {"output_branch", spec.output_branch.str()},
      {"datum_tries", spec.datum_tries},
      {"reprocess_spec", spec.reprocess_every_job ? "every_job" : "until_success"},
  };
  if (!spec.description.empty()) object["description"] = spec.description;
  if (spec.salt) object["salt"] = *spec.salt;
  return object.dump();
}

}  // namespace pfs::trigger
