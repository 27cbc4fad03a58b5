#include <charconv>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>

#include "api/client/files.h"
#include "cli/commands.h"
#include "cli/file_ref.h"
#include "cli/format.h"
#include "cli/output.h"

namespace pfs::cli {
namespace {

/// `repo@branch:/pattern`; no FileRef, as a pattern is no path.
struct GlobRef {
  CommitRef commit;
  std::string pattern;

  /// Errors: kInvalid.
  static Result<GlobRef> parse(std::string_view text) {
    const auto at = text.find('@');
    const auto colon = at == text.npos ? text.npos : text.find(':', at);
    const auto commit = text.substr(0, colon);
    GlobRef ref;
    PFS_TRY_ASSIGN(ref.commit, CommitRef::parse(commit));
    if (commit.size() + 1 >= text.size()) {
      return Error{Code::kInvalid,
                   fmt::format("{0}: the pattern is missing; write {0}:/PATTERN", commit)};
    }
    ref.pattern = text.substr(commit.size() + 1);
    return ref;
  }
};

/// How many of a path's versions are listed.
struct History {
  std::optional<std::uint64_t> limit;  ///< 0: all; none: what is there, and no versions

  /// Reads a number from 1 on, `all`, or `none`. Errors: kInvalid.
  static Result<History> parse(std::string_view text) {
    if (text.empty() || text == "none") return History{};
    std::uint64_t limit = 0;
    const auto* end = text.data() + text.size();
    const auto read = std::from_chars(text.data(), end, limit);
    const bool number = read.ec == std::errc() && read.ptr == end && limit != 0;
    if (number || text == "all") return History{limit};
    return Error{Code::kInvalid,
                 fmt::format("'{}' is neither a number from 1 on nor all nor none",
                             printable(text))};
  }
};

struct Arguments {
  FileRef file;
  GlobRef glob;
  FileRef target;
  std::vector<FileRef> files;
  History history;
  bool overwrite = false;
  bool recursive = false;
  OutputFlags output;
};

std::string word_of(client::FileKind kind) {
  switch (kind) {
    case client::FileKind::kFile: return "file";
    case client::FileKind::kDirectory: return "dir";
    case client::FileKind::kSymlink: return "symlink";
    case client::FileKind::kOther: return "other";
  }
  return "other";
}

Json json_of(const client::FileInfo& file) {
  return {{"path", file.path},
          {"type", word_of(file.kind)},
          {"size_bytes", file.size},
          {"mode", file.mode},
          {"modified", json_time(file.modified)}};
}

/// Files in a table, or as JSON. Begun with the first one, so that an error comes without a header.
class FileListing {
 public:
  FileListing(const OutputFlags& flags, Terminal terminal) : flags_(flags), terminal_(terminal) {}

  client::FileVisit visit() {
    return [this](const client::FileInfo& file) -> Result<void> {
      if (!listing_) begin();
      if (listing_->json()) {
        listing_->add_object(json_of(file));
      } else {
        listing_->add_row({file.path, word_of(file.kind), format_size(file.size)});
      }
      return {};
    };
  }
  /// Prints the header where nothing was found.
  void end() {
    if (!listing_) begin();
  }

 private:
  void begin() {
    listing_.emplace(flags_, terminal_, std::vector<std::string>{"NAME", "TYPE", "SIZE"});
  }

  const OutputFlags& flags_;
  const Terminal terminal_;
  std::optional<Listing> listing_;
};

Result<void> list_versions(Session& session, const Arguments& arguments, std::uint64_t limit) {
  PFS_TRY_ASSIGN(const auto* connection, session.connection());
  std::optional<Listing> listing;
  const auto add = [&](const client::FileVersion& version) -> Result<void> {
    if (!listing) {
      listing.emplace(arguments.output, session.terminal(),
                      std::vector<std::string>{"COMMIT", "NAME", "TYPE", "COMMITTED", "SIZE"});
    }
    const auto& file = version.file;
    const auto path = file ? file->path : arguments.file.path.str();
    if (listing->json()) {
      Json object = {{"commit", version.commit},
                     {"committed", json_time(version.committed)},
                     {"path", path},
                     {"file", nullptr}};
      if (file) object["file"] = json_of(*file);
      listing->add_object(object);
      return {};
    }
    listing->add_row({version.commit, path, file ? word_of(file->kind) : "deleted",
                      arguments.output.time(version.committed),
                      file ? format_size(file->size) : "-"});
    return {};
  };
  return client::Files(*connection)
      .versions(arguments.file.commit, arguments.file.path, limit, add);
}

Result<void> list(Session& session, const Arguments& arguments) {
  if (const auto limit = arguments.history.limit)
    return list_versions(session, arguments, *limit);
  PFS_TRY_ASSIGN(const auto* connection, session.connection());
  FileListing listing(arguments.output, session.terminal());
  PFS_TRY(client::Files(*connection)
              .list(arguments.file.commit, arguments.file.path, client::ListDepth::kNames,
                    listing.visit()));
  listing.end();
  return {};
}

Result<void> glob(Session& session, const Arguments& arguments) {
  const auto& [commit, pattern] = arguments.glob;
  PFS_TRY_ASSIGN(const auto* connection, session.connection());
  FileListing listing(arguments.output, session.terminal());
  const auto found = client::Files(*connection).glob(commit, pattern, listing.visit());
  if (!found) {
    if (found.error().code == Code::kInvalid) session.blame_arguments();  // what is no pattern
    return found;
  }
  listing.end();
  return {};
}

Result<void> inspect(Session& session, const Arguments& arguments) {
  PFS_TRY_ASSIGN(const auto* connection, session.connection());
  const client::Files files(*connection);
  PFS_TRY_ASSIGN(const auto file, files.inspect(arguments.file.commit, arguments.file.path));
  if (arguments.output.json()) {
    print_object(arguments.output, json_of(file));
    return {};
  }
  print_labels(
      {{"Path", printable(file.path)},
       {"Type", word_of(file.kind)},
       {"Size", format_size(file.size)},
       {"Children",
        file.kind == client::FileKind::kDirectory ? std::to_string(file.children) : std::string()},
       {"Modified", arguments.output.time(file.modified)},
       {"Target", printable(file.link_target)}});
  return {};
}

Result<void> copy(Session& session, const Arguments& arguments) {
  PFS_TRY_ASSIGN(const auto target, arguments.target.to_change());
  return session.change([&](const client::Connection& connection) -> Result<void> {
    PFS_TRY(client::Files(connection)
                .copy({arguments.file.commit, arguments.file.path}, target, arguments.target.path,
                      arguments.overwrite));
    return {};
  });
}

Result<void> remove(Session& session, const Arguments& arguments) {
  struct Those {
    CommitRef of;
    std::vector<RepoPath> paths;
  };
  std::map<std::string, Those> all;
  for (const auto& file : arguments.files) {
    PFS_TRY_ASSIGN(const auto of, file.to_change());
    auto& those = all[of.str()];
    those.of = of;
    those.paths.push_back(file.path);
  }
  return session.change([&all](const client::Connection& connection) -> Result<void> {
    for (const auto& [name, those] : all)
      PFS_TRY(client::Files(connection).remove(those.of, those.paths));
    return {};
  });
}

}  // namespace

void add_file_commands(Grammar& grammar, Session& session) {
  const auto arguments = std::make_shared<Arguments>();
  auto& lists = grammar.command("list", "file", "List a directory",
                                [&session, arguments] { return list(session, *arguments); });
  add_parsed(lists, "directory", arguments->file, "repo@branch:/dir, or repo@commit:/dir")
      ->required();
  add_parsed(lists, "--history", arguments->history,
             "The path's versions instead: a number of them, all, or none");
  add_output_flags(lists, arguments->output);

  auto& globs = grammar.command("glob", "file", "List what a pattern finds",
                                [&session, arguments] { return glob(session, *arguments); });
  add_parsed(globs, "pattern", arguments->glob, "repo@branch:/pattern, or repo@commit:/pattern")
      ->required();
  add_output_flags(globs, arguments->output);

  auto& inspects = grammar.command("inspect", "file", "Show a file or directory",
                                   [&session, arguments] { return inspect(session, *arguments); });
  add_parsed(inspects, "file", arguments->file, "repo@branch:/path, or repo@commit:/path")
      ->required();
  add_output_flags(inspects, arguments->output);

  auto& copies =
      grammar.command("copy", "file", "Copy a file or directory without moving its bytes",
                      [&session, arguments] { return copy(session, *arguments); });
  add_parsed(copies, "source", arguments->file, "repo@branch:/path, or repo@commit:/path")
      ->required();
  add_parsed(copies, "target", arguments->target, "repo@branch:/path")->required();
  copies.add_flag("-o,--overwrite", arguments->overwrite,
                  "Replace a directory that is there, too (a file is replaced anyway)");

  auto& removes =
      grammar.command("delete", "file", "Delete files, and directories with all that is in them",
                      [&session, arguments] { return remove(session, *arguments); });
  const auto check = [](const std::string& text) {
    const auto parsed = FileRef::parse(text);
    if (!parsed) return parsed.error().message;
    if (parsed->has_path) return std::string();
    return parsed->commit.str() +
           ": the path of what is to be deleted is missing; write repo@branch:/path";
  };
  const auto take = [arguments](const std::vector<std::string>& texts) {
    for (const auto& text : texts) {
      if (auto parsed = FileRef::parse(text)) arguments->files.push_back(*std::move(parsed));
    }
  };
  removes
      .add_option_function<std::vector<std::string>>(
          "file", take, "repo@branch:/path; those of one branch go in one commit")
      ->check(check)
      ->required();
  removes.add_flag("-r,--recursive", arguments->recursive,
                   "Accepted: a directory goes with what is in it anyway");
}

}  // namespace pfs::cli
