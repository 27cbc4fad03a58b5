// Pipelines from specs: create, update, apply and edit.

#include <cstdlib>
#include <memory>

#include <boost/filesystem.hpp>
#include <fmt/format.h>

#include "api/client/pipelines.h"
#include "base/file.h"
#include "base/names.h"
#include "cli/commands.h"
#include "cli/editor.h"
#include "cli/output.h"
#include "cli/spec_files.h"
#include "cli/yaml.h"

namespace pfs::cli {
namespace {

struct Arguments {
  RepoName name;
  std::vector<std::string> sources;
  bool reprocess = false;
  bool dry_run = false;
  bool build = false;
  bool push_images = false;
  std::string registry;
  std::string username;
  std::string editor;
  std::string format = "json";
};

using Specs = std::vector<client::SpecText>;

Result<Specs> specs_of(const Arguments& arguments, Result<Specs> (*read)(const std::string&)) {
  Specs specs;
  for (const auto& source : arguments.sources) {
    PFS_TRY_ASSIGN(auto found, read(source));
    std::move(found.begin(), found.end(), std::back_inserter(specs));
  }
  return specs;
}

/// Building and pushing are podman's to do.
Result<void> refuse_images(const Arguments& arguments) {
  const auto refused = [](const char* flag) {
    return Error{Code::kUnsupported, fmt::format("{}: comes later; build the image with podman, push it if other machines "
                                                 "need it, and name it in transform.image",
                                                 flag)};
  };
  if (arguments.build) return refused("--build");
  if (arguments.push_images) return refused("--push-images");
  if (!arguments.registry.empty()) return refused("--registry");
  if (!arguments.username.empty()) return refused("--username");
  return {};
}

std::string sentence(const client::SpecPlan& plan, bool dry_run) {
  if (plan.outcome == "unchanged") return "unchanged";
  auto text = dry_run ? "would be " + plan.outcome : plan.outcome;
  if (plan.version > 1) text += fmt::format(", version {}", plan.version);
  if (plan.reprocess) text += ", every datum is processed again";
  return text;
}

std::string datums_of(const client::SpecPlan::Datums& datums) {
  auto text = fmt::format("datums: {}, done already: {}", datums.total, datums.done);
  for (const auto& datum : datums.first) text += (&datum == &datums.first.front() ? "; " : ", ") + printable(datum);
  if (datums.total > datums.first.size() && !datums.first.empty()) text += ", …";
  return text;
}

void print_plans(const std::vector<client::SpecPlan>& plans, bool dry_run) {
  for (const auto& plan : plans) {
    fmt::print("{}: {}\n", plan.name, sentence(plan, dry_run));
    for (const auto& change : plan.changes) fmt::print("  {}\n", printable(change));
    if (plan.datums) fmt::print("  {}\n", datums_of(*plan.datums));
  }
}

/// What a person should know who has asked for no plan.
void print_remarks(const std::vector<client::SpecPlan>& plans, bool unchanged_too) {
  for (const auto& plan : plans) {
    if (unchanged_too && plan.outcome == "unchanged") {
      fmt::print(stderr, "{}: unchanged; no job is caused\n", plan.name);
    }
    for (const auto& note : plan.notes) fmt::print(stderr, "{}: {}\n", plan.name, printable(note));
  }
}

Result<void> put(Session& session, const Arguments& arguments, bool update) {
  PFS_TRY(refuse_images(arguments));
  if (!arguments.dry_run) PFS_TRY(session.refuse_in_transaction(update ? "update pipeline" : "create pipeline"));
  PFS_TRY_ASSIGN(const auto specs, specs_of(arguments, &read_specs));
  PFS_TRY_ASSIGN(const auto* connection, session.connection());
  PFS_TRY_ASSIGN(const auto plans, client::Pipelines(*connection)
                                       .create(specs, {update, arguments.reprocess, arguments.dry_run}));
  if (arguments.dry_run) print_plans(plans, true);
  print_remarks(plans, !arguments.dry_run);
  return {};
}

Result<void> apply(Session& session, const Arguments& arguments) {
  if (!arguments.dry_run) PFS_TRY(session.refuse_in_transaction("apply"));
  PFS_TRY_ASSIGN(const auto specs, specs_of(arguments, &read_specs_in));
  PFS_TRY_ASSIGN(const auto* connection, session.connection());
  PFS_TRY_ASSIGN(const auto plans, client::Pipelines(*connection)
                                       .create(specs, {/*update=*/true, arguments.reprocess, arguments.dry_run}));
  print_plans(plans, arguments.dry_run);
  print_remarks(plans, false);
  return {};
}

/// A file for an editor, gone when this is; one that is kept is told.
class Draft {
 public:
  static Result<Draft> make(const std::string& suffix) {
    const char* temporary = std::getenv("TMPDIR");
    std::string path(temporary != nullptr && *temporary != '\0' ? temporary : "/tmp");
    path += "/pfs-edit-XXXXXX";
    if (mkdtemp(path.data()) == nullptr) return error_from_errno(errno, "mkdtemp " + path);
    return Draft(path, suffix);
  }
  Draft(Draft&& other) noexcept : directory_(std::exchange(other.directory_, {})), path_(std::move(other.path_)) {}
  Draft& operator=(Draft&&) = delete;
  ~Draft() {
    boost::system::error_code ignored;
    if (!directory_.empty()) boost::filesystem::remove_all(directory_, ignored);
  }

  const std::string& path() const { return path_; }
  /// What was written is not lost when it is refused.
  Error keep(Error error) {
    directory_.clear();
    error.message += fmt::format("; what you wrote is in {}", path_);
    return error;
  }

 private:
  Draft(std::string directory, const std::string& suffix)
      : directory_(std::move(directory)), path_(directory_ + "/spec." + suffix) {}
  std::string directory_;
  std::string path_;
};

Result<void> edit(Session& session, const Arguments& arguments) {
  PFS_TRY(session.refuse_in_transaction("edit pipeline"));
  PFS_TRY_ASSIGN(const auto* connection, session.connection());
  const client::Pipelines pipelines(*connection);
  PFS_TRY_ASSIGN(const auto pipeline, pipelines.inspect(arguments.name));
  const auto spec = Json::parse(pipeline.spec_json, nullptr, /*allow_exceptions=*/false);
  const auto before = arguments.format == "yaml" ? yaml_of(spec) : spec.dump(2) + "\n";
  PFS_TRY_ASSIGN(auto draft, Draft::make(arguments.format));
  PFS_TRY(write_file_atomically(draft.path(), before));
  PFS_TRY(edit_file(draft.path(), arguments.editor));
  PFS_TRY_ASSIGN(const auto after, read_file(draft.path()));
  if (after == before && !arguments.reprocess) {
    fmt::print(stderr, "{}: unchanged; no job is caused\n", pipeline.name);
    return {};
  }
  auto specs = specs_in(after, pipeline.name);
  if (!specs) return draft.keep(std::move(specs).error());
  auto plans = pipelines.create(*specs, {/*update=*/true, arguments.reprocess, arguments.dry_run});
  if (!plans) return draft.keep(std::move(plans).error());
  print_remarks(*plans, true);
  return {};
}

void add_sources(CLI::App& command, Arguments& arguments, const char* what) {
  command.add_option("-f,--file", arguments.sources, what)->required()->allow_extra_args(false);
  command.add_flag("--dry-run", arguments.dry_run, "Tell what would be done, and do nothing");
}

void add_image_flags(CLI::App& command, Arguments& arguments) {
  command.add_flag("-b,--build", arguments.build, "Not supported: build images with podman");
  command.add_flag("-p,--push-images", arguments.push_images, "Not supported: push images with podman");
  command.add_option("-r,--registry", arguments.registry, "Not supported, as --push-images");
  command.add_option("-u,--username", arguments.username, "Not supported, as --push-images");
}

}  // namespace

void add_spec_commands(Grammar& grammar, Session& session) {
  const auto arguments = std::make_shared<Arguments>();
  constexpr const char* kSource = "A file or URL with specs, JSON or YAML, or - for stdin; several of either";
  auto& creates = grammar.command("create", "pipeline", "Make pipelines from specs, all of them or none",
                                  [&session, arguments] { return put(session, *arguments, false); });
  add_sources(creates, *arguments, kSource);
  add_image_flags(creates, *arguments);

  auto& updates = grammar.command("update", "pipeline", "Change pipelines to specs, or make them; all of them or none",
                                  [&session, arguments] { return put(session, *arguments, true); });
  add_sources(updates, *arguments, kSource);
  updates.add_flag("--reprocess", arguments->reprocess, "Process every datum again");
  add_image_flags(updates, *arguments);

  auto& applies = grammar.command("apply", "Make pipelines what specs say, all of them or none, and tell what was done",
                                  [&session, arguments] { return apply(session, *arguments); });
  add_sources(applies, *arguments, "A directory with specs (*.json, *.yaml, *.yml), a file or URL, or - for stdin");
  applies.add_flag("--reprocess", arguments->reprocess, "Process every datum again");

  auto& edits = grammar.command("edit", "pipeline", "Change a pipeline's spec in an editor",
                                [&session, arguments] { return edit(session, *arguments); });
  add_parsed(edits, "pipeline", arguments->name, "Its name")->required();
  edits.add_option("--editor", arguments->editor, "The editor's command; else VISUAL, EDITOR or vi");
  edits.add_option("-o,--output", arguments->format, "json or yaml")->check(CLI::IsMember({"json", "yaml"}));
  edits.add_flag("--reprocess", arguments->reprocess, "Process every datum again");
}

}  // namespace pfs::cli
