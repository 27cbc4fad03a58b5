#include "trigger/internal/spec_plan.h"

#include <map>
#include <set>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace pfs::trigger {

namespace {

using nlohmann::json;

constexpr std::size_t kShownBytes = 60;  // of a value

std::string shown(const json* value) {
  if (value == nullptr) return "(none)";
  std::string text = value->dump(-1, ' ', /*ensure_ascii=*/true);
  if (text.size() > kShownBytes) text = text.substr(0, kShownBytes) + "…";
  return text;
}

const json* find(const json& object, const std::string& name) {
  const auto found = object.find(name);
  return found == object.end() ? nullptr : &*found;
}

void compare(const json* before, const json* after, const std::string& path, std::vector<std::string>& lines) {
  if (before != nullptr && after != nullptr && before->is_object() && after->is_object()) {
    std::set<std::string> names;
    for (const auto& member : before->items()) names.insert(member.key());
    for (const auto& member : after->items()) names.insert(member.key());
    for (const std::string& name : names) {
      compare(find(*before, name), find(*after, name), path.empty() ? name : fmt::format("{}.{}", path, name), lines);
    }
    return;
  }
  const bool same = before != nullptr && after != nullptr && *before == *after;
  if (!same) lines.push_back(fmt::format("{}: {} -> {}", path, shown(before), shown(after)));
}

/// What is made from what: the pipeline that writes a branch, and the branches that it reads.
struct Made {
  RepoName by;
  std::vector<BranchRef> from;
};
using MadeFrom = std::map<BranchRef, Made>;

/// The way from `at` up to `goal`, as pipelines, if there is one.
bool leads_to(const MadeFrom& made, const BranchRef& at, const BranchRef& goal, std::set<BranchRef>& seen,
              std::vector<std::string>& way) {
  if (at == goal) return true;
  const auto found = made.find(at);
  if (found == made.end() || !seen.insert(at).second) return false;
  for (const BranchRef& next : found->second.from) {
    if (!leads_to(made, next, goal, seen, way)) continue;
    way.push_back(found->second.by.str());
    return true;
  }
  return false;
}

}  // namespace

std::vector<std::string> differences(const std::string& before, const std::string& after) {
  std::vector<std::string> lines;
  const json old_spec = json::parse(before, nullptr, /*allow_exceptions=*/false);
  const json new_spec = json::parse(after, nullptr, /*allow_exceptions=*/false);
  compare(&old_spec, &new_spec, "", lines);
  return lines;
}

Result<PlannedSpecs> read_specs(std::span<const SpecText> specs) {
  PlannedSpecs planned;
  std::map<RepoName, std::string> origins;
  for (const SpecText& text : specs) {
    PlannedSpec one;
    one.origin = text.origin;
    auto spec = parse_spec(text.json);
    if (!spec) return one.refused(std::move(spec).error());
    if (auto checked = check_new_spec(*spec); !checked) return one.refused(std::move(checked).error());
    one.spec = std::move(*spec);
    one.plan.name = one.spec.name;
    one.plan.notes = one.spec.notes;
    if (auto note = image_note(one.spec.transform.image)) one.plan.notes.push_back(*std::move(note));
    one.plan.spec_json = to_json(one.spec);
    const auto [first, is_new] = origins.emplace(one.spec.name, text.origin);
    if (!is_new) {
      return one.refused(Error{Code::kInvalid,
                               fmt::format("pipeline spec: pipeline.name: '{}' is there twice{}; leave one out",
                                           one.spec.name.str(), first->second.empty() ? "" : ", also in " + first->second)});
    }
    planned.push_back(std::move(one));
  }
  return planned;
}

Result<void> refuse_cycles(const PlannedSpecs& planned, std::span<const PipelineRecord> pipelines) {
  MadeFrom made;
  std::set<RepoName> replaced;
  for (const PlannedSpec& one : planned) {
    replaced.insert(one.spec.name);
    made[one.spec.output()] = {one.spec.name, one.spec.inputs()};
  }
  for (const PipelineRecord& pipeline : pipelines) {
    if (replaced.contains(pipeline.name)) continue;
    const auto spec = spec_of(pipeline);
    if (spec) made[spec->output()] = {spec->name, spec->inputs()};  // one that cannot be read makes nothing
  }
  for (const PlannedSpec& one : planned) {
    for (const BranchRef& input : one.spec.inputs()) {
      std::set<BranchRef> seen;
      std::vector<std::string> way;
      if (!leads_to(made, input, one.spec.output(), seen, way)) continue;
      return one.refused(Error{
          Code::kInvalid, fmt::format("pipeline spec: input: {} reads {}, which is made from its own output {} (by {}); "
                                      "let one of them read something else",
                                      one.spec.name.str(), input.str(), one.spec.output().str(), fmt::join(way, ", "))});
    }
  }
  return {};
}

}  // namespace pfs::trigger
