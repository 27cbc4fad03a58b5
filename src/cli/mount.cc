#include <climits>
#include <cstdlib>
#include <memory>
#include <sstream>

#include <fmt/format.h>

#include "api/client/mounts.h"
#include "cli/commands.h"
#include "cli/file_ref.h"
#include "cli/output.h"

namespace pfs::cli {
namespace {

struct Arguments {
  std::string part;
  std::string directory;
  std::string options;
  OutputFlags output;
};

/// From / on, as pfsd needs it; a directory that is not there, or is dead, stays as it was written.
std::string absolute(const std::string& directory) {
  std::string resolved(PATH_MAX, '\0');
  if (::realpath(directory.c_str(), resolved.data()) != nullptr) return resolved.c_str();
  if (directory.starts_with('/') || ::realpath(".", resolved.data()) == nullptr) return directory;
  return std::string(resolved.c_str()) + "/" + directory;
}

Result<void> mount(Session& session, const Arguments& arguments) {
  PFS_TRY(session.refuse_in_transaction("mount"));
  FileRef part;
  const bool whole = arguments.part == ".";
  if (!whole) {
    PFS_TRY_ASSIGN(part, FileRef::parse(arguments.part));
  }
  std::vector<std::string> options;
  std::istringstream list(arguments.options);
  for (std::string option; std::getline(list, option, ',');) options.push_back(option);
  PFS_TRY_ASSIGN(const auto* connection, session.connection());
  return client::Mounts(*connection).add(whole ? std::nullopt : std::optional(part.commit), part.path, absolute(arguments.directory), options);
}

Result<void> unmount(Session& session, const Arguments& arguments) {
  PFS_TRY(session.refuse_in_transaction("unmount"));
  PFS_TRY_ASSIGN(const auto* connection, session.connection());
  return client::Mounts(*connection).remove(absolute(arguments.directory));
}

Result<void> list(Session& session, const Arguments& arguments) {
  PFS_TRY_ASSIGN(const auto* connection, session.connection());
  PFS_TRY_ASSIGN(const auto parts, client::Mounts(*connection).list());
  Listing listing(arguments.output, session.terminal(), {"PART", "DIRECTORY"});
  for (const auto& part : parts) {
    if (listing.json()) {
      listing.add_object({{"part", part.part}, {"directory", part.directory}});
    } else {
      listing.add_row({part.part.empty() ? "." : part.part, part.directory});
    }
  }
  return {};
}

}  // namespace

void add_mount_commands(Grammar& grammar, Session& session) {
  const auto arguments = std::make_shared<Arguments>();
  auto& mounts = grammar.command("mount", "Mount a branch, a commit or a directory of one elsewhere, as an ordinary user can",
                                 [&session, arguments] { return mount(session, *arguments); });
  mounts.add_option("part", arguments->part, "REPO@REF[:/DIR]; . for all of the store")->required();
  mounts.add_option("directory", arguments->directory, "An empty directory")->required();
  mounts.add_option("-o,--options", arguments->options, "ro, noexec, noatime, allow_other, with commas between them");

  auto& unmounts = grammar.command("unmount", "Unmount what `mount` has mounted",
                                   [&session, arguments] { return unmount(session, *arguments); });
  unmounts.add_option("directory", arguments->directory, "Where")->required();

  auto& lists = grammar.command("list", "mount", "List what `mount` has mounted",
                                [&session, arguments] { return list(session, *arguments); });
  add_output_flags(lists, arguments->output);
}

}  // namespace pfs::cli
