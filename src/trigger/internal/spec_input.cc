#include "trigger/internal/spec_input.h"

#include <algorithm>
#include <iterator>
#include <set>
#include <span>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "store/glob.h"
#include "trigger/internal/capture_text.h"

namespace pfs::trigger {

namespace {

using nlohmann::json;
using Kind = Input::Kind;

constexpr std::size_t kMaxDepth = 16;
constexpr std::size_t kMaxLeaves = 256;

Error invalid(std::string_view field, std::string_view trouble) {
  return Error{Code::kInvalid, fmt::format("pipeline spec: {}: {}", field, trouble)};
}

Error not_yet(std::string_view field) {
  return Error{Code::kUnsupported, fmt::format("pipeline spec: {}: not supported yet; leave it out", field)};
}

struct Combination {
  const char* name;
  Kind kind;
};
constexpr Combination kCombinations[] = {
    {"cross", Kind::kCross}, {"union", Kind::kUnion}, {"join", Kind::kJoin}, {"group", Kind::kGroup}};

const char* name_of(Kind kind) {
  for (const Combination& one : kCombinations) {
    if (one.kind == kind) return one.name;
  }
  return "pfs";
}

/// The fields of one branch's input, each of its type.
class PfsFields {
 public:
  PfsFields(const json& object, std::string path) : object_(object), path_(std::move(path)) {}

  /// Errors: kInvalid, kUnsupported.
  Result<void> check(std::vector<std::string>* notes) const {
    for (const auto& member : object_.items()) {
      const std::string& name = member.key();
      const json& value = member.value();
      if (value.is_null()) continue;
      if (is_one_of(name, kTexts)) {
        if (!value.is_string()) return invalid(at(name), "expected a string");
        // what would end a path early, or a variable
        if (value.get_ref<const std::string&>().find('\0') != std::string::npos) return invalid(at(name), "a NUL byte in it");
      } else if (is_one_of(name, kFlags)) {
        if (!value.is_boolean()) return invalid(at(name), "expected true or false");
      } else if (name == "trigger") {
        if (!value.is_object()) return invalid(at(name), "expected an object");
        return not_yet(at(name));
      } else {
        return invalid(at(printable(name)), "no such field");
      }
    }
    if (flag("s3")) return not_yet(at("s3"));
    if (notes == nullptr) return {};
    if (flag("lazy")) notes->push_back(fmt::format("{} has no effect: files are always fetched when they are read", at("lazy")));
    if (!text("commit").empty()) notes->push_back(fmt::format("{} has no effect: is filled in for each job", at("commit")));
    return {};
  }

  std::string at(std::string_view name) const { return fmt::format("{}.{}", path_, name); }
  std::string text(const char* name) const {
    const auto found = object_.find(name);
    return found == object_.end() || !found->is_string() ? std::string() : found->get<std::string>();
  }
  std::string text_or(const char* name, std::string_view otherwise) const {
    std::string value = text(name);
    return value.empty() ? std::string(otherwise) : value;
  }
  bool flag(const char* name) const {
    const auto found = object_.find(name);
    return found != object_.end() && found->is_boolean() && found->get<bool>();
  }

 private:
  static constexpr std::string_view kTexts[] = {"name", "repo", "branch", "glob", "commit", "join_on", "group_by"};
  static constexpr std::string_view kFlags[] = {"lazy", "outer_join", "empty_files", "s3"};

  static bool is_one_of(std::string_view name, std::span<const std::string_view> names) {
    return std::find(names.begin(), names.end(), name) != names.end();
  }

  const json& object_;
  const std::string path_;
};

/// Where an input stands: the field's path, and what it is a part of.
struct Place {
  std::string path;
  bool in_join = false;
  bool in_group = false;
  std::size_t depth = 0;
  std::vector<std::string>* notes = nullptr;  ///< see read_input()
};

/// A text that is made from what a glob's groups matched.
Result<std::string> read_capture_text(const PfsFields& fields, const char* name, bool wanted, const char* where,
                                      const store::Glob& glob) {
  std::string text = fields.text(name);
  if (wanted && text.empty()) {
    return invalid(fields.at(name), fmt::format("is required in a {}, for instance $1 with a glob like /(*).txt", where));
  }
  if (!wanted && !text.empty()) return invalid(fields.at(name), fmt::format("has a meaning in a {} only", where));
  auto parsed = CaptureText::parse(text, glob.groups());
  if (!parsed) return invalid(fields.at(name), parsed.error().message);
  return text;
}

Result<PfsInput> read_pfs(const json& object, const Place& place) {
  const PfsFields fields(object, place.path);
  PFS_TRY(fields.check(place.notes));
  PfsInput input;
  const std::string repo_text = fields.text("repo");
  if (repo_text.empty()) return invalid(fields.at("repo"), "is required: the repo that the pipeline reads");
  auto repo = RepoName::parse(repo_text);
  if (!repo) return invalid(fields.at("repo"), repo.error().message);
  input.repo = std::move(*repo);
  auto name = RepoName::parse(fields.text_or("name", input.repo.str()));
  if (!name) return invalid(fields.at("name"), name.error().message);
  input.name = std::move(*name);
  if (input.name.str() == "out") return invalid(fields.at("name"), "'out' is where the output goes; choose another name");
  auto branch = BranchName::parse(fields.text_or("branch", "master"));
  if (!branch) return invalid(fields.at("branch"), branch.error().message);
  input.branch = std::move(*branch);
  input.glob = fields.text("glob");
  if (input.glob.empty()) return invalid(fields.at("glob"), "is required, for instance /* for each top-level entry");
  const auto glob = store::Glob::parse(input.glob);
  if (!glob) return invalid(fields.at("glob"), glob.error().message);

  PFS_TRY_ASSIGN(input.join_on, read_capture_text(fields, "join_on", place.in_join, "join", *glob));
  PFS_TRY_ASSIGN(input.group_by, read_capture_text(fields, "group_by", place.in_group, "group", *glob));
  input.outer_join = fields.flag("outer_join");
  if (input.outer_join && !place.in_join) return invalid(fields.at("outer_join"), "has a meaning in a join only");
  input.empty_files = fields.flag("empty_files");
  return input;
}

Result<Input> read_at(const json& object, const Place& place);

Result<Input> read_combination(const json& list, Kind kind, Place place) {
  if (!list.is_array()) return invalid(place.path, "expected a list of inputs");
  if (list.empty()) return invalid(place.path, "is empty; name at least one input");
  if (++place.depth > kMaxDepth) return invalid(place.path, "inputs within inputs, too deep");
  place.in_join = place.in_join || kind == Kind::kJoin;
  place.in_group = place.in_group || kind == Kind::kGroup;
  Input input;
  input.kind = kind;
  for (std::size_t i = 0; i < list.size(); ++i) {
    Place part = place;
    part.path = fmt::format("{}[{}]", place.path, i);
    PFS_TRY_ASSIGN(Input read, read_at(list[i], part));
    input.parts.push_back(std::move(read));
  }
  return input;
}

/// Errors: kUnsupported, kInvalid (no input is called that).
Result<void> check_kind(const std::string& name, const std::string& field) {
  const auto is_called_that = [&](const Combination& one) { return name == one.name; };
  if (name == "pfs" || std::any_of(std::begin(kCombinations), std::end(kCombinations), is_called_that)) return {};
  if (name == "cron" || name == "git") return not_yet(field);
  return invalid(field, "no such field");
}

/// The one member that is set; empty when none is.
Result<std::string> only_member(const json& object, const Place& place) {
  std::string found;
  std::string empty_list;
  for (const auto& member : object.items()) {
    const json& value = member.value();
    if (value.is_null()) continue;
    PFS_TRY(check_kind(member.key(), fmt::format("{}.{}", place.path, printable(member.key()))));
    if (value.is_array() && value.empty()) {  // how programs write that there is none
      if (member.key() != "pfs") empty_list = member.key();
      continue;
    }
    if (!found.empty()) {
      return invalid(place.path, fmt::format("{} and {} at once; an input is one of them", printable(found), printable(member.key())));
    }
    found = member.key();
  }
  if (found.empty() && !empty_list.empty()) {
    return invalid(fmt::format("{}.{}", place.path, empty_list), "is empty; name at least one input");
  }
  return found;
}

Result<Input> read_at(const json& object, const Place& place) {
  if (!object.is_object()) return invalid(place.path, "expected an object");
  PFS_TRY_ASSIGN(const std::string kind, only_member(object, place));
  if (kind.empty()) return invalid(place.path + ".pfs", "is required: what the pipeline reads");
  Place part = place;
  part.path = fmt::format("{}.{}", place.path, printable(kind));
  const json& value = object.at(kind);
  if (kind == "pfs") {
    if (!value.is_object()) return invalid(part.path, "expected an object");
    Input input;
    PFS_TRY_ASSIGN(input.pfs, read_pfs(value, part));
    return input;
  }
  for (const Combination& one : kCombinations) {
    if (kind == one.name) return read_combination(value, one.kind, std::move(part));
  }
  return invalid(part.path, "no such field");
}

/// Each directory below /pfs has one input in a datum: only parts of a union, of which a datum has one, may share names.
Result<void> check_names(const Input& input, std::set<std::string>& names) {
  switch (input.kind) {
    case Kind::kPfs:
      if (names.insert(input.pfs.name.str()).second) return {};
      return invalid("input", fmt::format("the name '{}' is used more than once; give one of the inputs another name",
                                          input.pfs.name.str()));
    case Kind::kUnion: {
      std::set<std::string> all = names;
      for (const Input& part : input.parts) {
        std::set<std::string> own = names;
        PFS_TRY(check_names(part, own));
        all.insert(own.begin(), own.end());
      }
      names = std::move(all);
      return {};
    }
    case Kind::kCross:
    case Kind::kJoin:
    case Kind::kGroup:
      break;
  }
  for (const Input& part : input.parts) PFS_TRY(check_names(part, names));
  return {};
}

void add_leaves(const Input& input, std::vector<const PfsInput*>& to) {
  if (input.kind == Kind::kPfs) to.push_back(&input.pfs);
  for (const Input& part : input.parts) add_leaves(part, to);
}

/// A branch's input, and the field that it is: `input.cross[1].pfs`.
struct Leaf {
  const PfsInput* pfs;
  std::string field;
};

void add_fields(const Input& input, const std::string& path, std::vector<Leaf>& to) {
  const std::string own = fmt::format("{}.{}", path, name_of(input.kind));
  if (input.kind == Kind::kPfs) to.push_back({&input.pfs, own});
  for (std::size_t i = 0; i < input.parts.size(); ++i) add_fields(input.parts[i], fmt::format("{}[{}]", own, i), to);
}

std::vector<Leaf> leaf_fields(const Input& input) {
  std::vector<Leaf> found;
  add_fields(input, "input", found);
  return found;
}

/// Of what runs a command, or of what pfs tells it: see datum_environment().
bool is_taken_variable(std::string_view name) {
  return name == "PATH" || name == "HOME" || name == "PPS_PIPELINE_NAME" || name.starts_with("LD_") || name.starts_with("PACH_");
}

}  // namespace

Result<Input> read_input(const json& object, std::vector<std::string>* notes) {
  if (object.is_null()) return invalid("input.pfs", "is required: what the pipeline reads");
  PFS_TRY_ASSIGN(Input input, read_at(object, {.path = "input", .notes = notes}));
  if (leaves(input).size() > kMaxLeaves) return invalid("input", fmt::format("more than {} branches", kMaxLeaves));
  std::set<std::string> names;
  PFS_TRY(check_names(input, names));
  return input;
}

json input_json(const Input& input) {
  if (input.kind != Kind::kPfs) {
    json parts = json::array();
    for (const Input& part : input.parts) parts.push_back(input_json(part));
    return {{name_of(input.kind), std::move(parts)}};
  }
  json pfs{{"name", input.pfs.name.str()},
           {"repo", input.pfs.repo.str()},
           {"branch", input.pfs.branch.str()},
           {"glob", input.pfs.glob}};
  if (!input.pfs.join_on.empty()) pfs["join_on"] = input.pfs.join_on;
  if (input.pfs.outer_join) pfs["outer_join"] = true;
  if (!input.pfs.group_by.empty()) pfs["group_by"] = input.pfs.group_by;
  if (input.pfs.empty_files) pfs["empty_files"] = true;
  return {{"pfs", std::move(pfs)}};
}

std::vector<const PfsInput*> leaves(const Input& input) {
  std::vector<const PfsInput*> found;
  add_leaves(input, found);
  return found;
}

std::vector<BranchRef> branches_of(const Input& input) {
  std::vector<BranchRef> branches;
  for (const PfsInput* leaf : leaves(input)) {
    if (std::find(branches.begin(), branches.end(), leaf->ref()) == branches.end()) branches.push_back(leaf->ref());
  }
  return branches;
}

std::string repo_field(const Input& input, const RepoName& repo) {
  for (const Leaf& leaf : leaf_fields(input)) {
    if (leaf.pfs->repo == repo) return leaf.field + ".repo";
  }
  return {};
}

Result<void> check_variables(const Input& input) {
  for (const Leaf& leaf : leaf_fields(input)) {
    if (!is_taken_variable(leaf.pfs->name.str())) continue;
    return invalid(leaf.field + ".name", fmt::format("'{}' is a variable that commands need as it is, and an input's name becomes one; "
                                                     "choose another name", leaf.pfs->name.str()));
  }
  return {};
}

std::string shorthand(const Input& input) {
  const auto joined = [&](std::string_view separator) {
    std::string text;
    for (const Input& part : input.parts) text += (text.empty() ? "" : std::string(separator)) + shorthand(part);
    return text;
  };
  switch (input.kind) {
    case Kind::kPfs: return input.pfs.repo.str() + ":" + input.pfs.glob;
    case Kind::kCross: return "(" + joined(" ⨯ ") + ")";
    case Kind::kUnion: return "(" + joined(" ∪ ") + ")";
    case Kind::kJoin: return "(" + joined(" ⋈ ") + ")";
    case Kind::kGroup: return "(Group: " + joined(", ") + ")";
  }
  return {};
}

}  // namespace pfs::trigger
