#include <memory>
#include <optional>
#include <vector>

#include "api/client/files.h"
#include "cli/commands.h"
#include "cli/file_ref.h"
#include "cli/format.h"
#include "cli/output.h"

namespace pfs::cli {
namespace {

struct Arguments {
  FileRef file;
  FileRef target;
  bool overwrite = true;
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

Result<void> list(Session& session, const Arguments& arguments) {
  PFS_TRY_ASSIGN(const auto* connection, session.connection());
  std::optional<Listing>
      listing;  // begun with the first entry, so that an error comes without a header
  const auto begin = [&] {
    listing.emplace(arguments.output, session.terminal(),
                    std::vector<std::string>{"NAME", "TYPE", "SIZE"});
  };
  const auto add = [&](const client::FileInfo& file) -> Result<void> {
    if (!listing) begin();
    if (listing->json()) {
      listing->add_object(json_of(file));
    } else {
      listing->add_row({file.path, word_of(file.kind), format_size(file.size)});
    }
    return {};
  };
  PFS_TRY(client::Files(*connection).list(arguments.file.commit, arguments.file.path, add));
  if (!listing) begin();
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
  print_labels({{"Path", printable(file.path)},
                {"Type", word_of(file.kind)},
                {"Size", format_size(file.size)},
                {"Modified", arguments.output.time(file.modified)},
                {"Target", printable(file.link_target)}});
  return {};
}

Result<void> copy(Session& session, const Arguments& arguments) {
  PFS_TRY(session.refuse_in_transaction("copy file"));
  PFS_TRY_ASSIGN(const auto target, arguments.target.branch());
  PFS_TRY_ASSIGN(const auto* connection, session.connection());
  PFS_TRY(client::Files(*connection)
              .copy(arguments.file.commit, arguments.file.path, target, arguments.target.path));
  return {};
}

Result<void> remove(Session& session, const Arguments& arguments) {
  PFS_TRY(session.refuse_in_transaction("delete file"));
  if (!arguments.file.has_path) {
    return Error{Code::kInvalid,
                 arguments.file.commit.str() +
                     ": the path of what is to be deleted is missing; write repo@branch:/path"};
  }
  PFS_TRY_ASSIGN(const auto branch, arguments.file.branch());
  PFS_TRY_ASSIGN(const auto* connection, session.connection());
  PFS_TRY(client::Files(*connection).remove(branch, arguments.file.path));
  return {};
}

}  // namespace

void add_file_commands(Grammar& grammar, Session& session) {
  const auto arguments = std::make_shared<Arguments>();
  auto& lists = grammar.command("list", "file", "List a directory",
                                [&session, arguments] { return list(session, *arguments); });
  add_parsed(lists, "directory", arguments->file, "repo@branch:/dir, or repo@commit:/dir")
      ->required();
  add_output_flags(lists, arguments->output);

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
                  "Replace a file that is there (it is replaced anyway)");

  auto& removes =
      grammar.command("delete", "file", "Delete a file, or a directory with all that is in it",
                      [&session, arguments] { return remove(session, *arguments); });
  add_parsed(removes, "file", arguments->file, "repo@branch:/path")->required();
}

}  // namespace pfs::cli
