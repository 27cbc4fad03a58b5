#include "cli/manual.h"

#include <fmt/format.h>

namespace pfs::cli {
namespace {

std::string escaped(const std::string& text) {
  std::string roff;
  for (const char c : text) {
    if (c == '\\') {
      roff += "\\e";
    } else if (c == '-') {
      roff += "\\-";
    } else if ((c == '.' || c == '\'') && (roff.empty() || roff.back() == '\n')) {
      roff += std::string("\\&") + c;
    } else {
      roff += c;
    }
  }
  return roff;
}

std::vector<const CLI::App*> subcommands(const CLI::App& app) {
  return app.get_subcommands([](const CLI::App*) { return true; });
}

/// `create branch`, behind the program's name.
std::string words_of(const CLI::App& command) {
  std::string words = command.get_name();
  for (const auto* above = command.get_parent(); above != nullptr && above->get_parent() != nullptr;
       above = above->get_parent())
    words.insert(0, above->get_name() + " ");
  return words;
}

void add_options(const CLI::App& command, std::string& page) {
  for (const auto* option : command.get_options()) {
    if (option->get_group().empty()) continue;
    // every command has it
    if (option == command.get_help_ptr() && command.get_parent() != nullptr) continue;
    const auto name = option->get_positional() ? option->get_name(true) : option->get_name(false, true);
    const bool has_value = !option->get_positional() && option->get_items_expected_max() > 0;
    page += fmt::format(".TP\n\\fB{}\\fR{}\n{}.\n", escaped(name), has_value ? " \\fIVALUE\\fR" : "",
                        escaped(option->get_description()));
  }
}

void add_command(const CLI::App& command, std::string& page) {
  const auto below = subcommands(command);
  for (const auto* sub : below) add_command(*sub, page);
  if (!below.empty()) return;
  std::string arguments;
  for (const auto* option : command.get_options()) {
    if (!option->get_positional()) continue;
    const auto name = option->get_name(true);
    arguments += option->get_required() ? " " + name : " [" + name + "]";
  }
  page += fmt::format(".SS \"pfs {}{}\"\n{}.\n", escaped(words_of(command)), escaped(arguments),
                      escaped(command.get_description()));
  add_options(command, page);
}

constexpr char kEnd[] = R"(.SH ENVIRONMENT
.TP
\fBPFS_ADDRESS\fR, \fBPACHD_ADDRESS\fR
Where the daemon is, as for \fB\-\-address\fR.
.TP
\fBPFS_TLS_CA\fR, \fBPFS_TLS_CERT\fR, \fBPFS_TLS_KEY\fR
PEM files for addresses of grpcs://: whom to trust, and who one is.
.TP
\fBPFS_CONFIG\fR, \fBPACH_CONFIG\fR
The configuration's file.
.TP
\fBNO_COLOR\fR, \fBPAGER\fR, \fBTERM\fR
Whether there are colours, and what lists are shown by on a terminal.
.SH FILES
.TP
\fI~/.pachyderm/config.json\fR
Contexts.
.TP
\fI$XDG_RUNTIME_DIR/pfs/pfsd.sock\fR, \fI~/.cache/pfs/pfsd.sock\fR, \fI/run/pfs/pfsd.sock\fR
Where daemons are looked for.
.SH EXIT STATUS
0: done. 1: failed. 2: the command line makes no sense. 130: interrupted.
.SH SEE ALSO
The directory docs of the sources.
)";

}  // namespace

std::string manual_page(const CLI::App& app, const std::string& version) {
  std::string page = fmt::format(
      ".TH PFS 1 \"\" \"pfs {}\" \"pfs\"\n.SH NAME\npfs, pachctl \\- versioned data as directories, "
      "and pipelines on top of them\n.SH SYNOPSIS\n\\fBpfs\\fR \\fIVERB NOUN\\fR "
      "[\\fIARGUMENT\\fR ...] [\\fIOPTION\\fR ...]\n.SH DESCRIPTION\nA repo is \\fBR\\fR, a branch or "
      "commit \\fBR@B\\fR or \\fBR@ID\\fR, with \\fB^N\\fR for its Nth parent and \\fB.N\\fR counted "
      "from the oldest; a file is \\fBR@B:/path\\fR.\n.SH OPTIONS\n",
      version);
  add_options(app, page);
  page += ".SH COMMANDS\n";
  for (const auto* command : subcommands(app)) add_command(*command, page);
  return page + kEnd;
}

}  // namespace pfs::cli
