#include "cli/completion.h"

#include <algorithm>
#include <chrono>
#include <memory>

#include <fmt/format.h>

#include "api/client/branches.h"
#include "api/client/jobs.h"
#include "api/client/pipelines.h"
#include "api/client/repos.h"
#include "api/client/secrets.h"
#include "base/names.h"
#include "cli/commands.h"
#include "cli/manual.h"
#include "cli/near_miss.h"

namespace pfs::cli {
namespace {

// readline breaks words at @ and :, so what is before the last of them must go
constexpr char kBash[] = R"(# for bash: source <(pfs completion bash)
_pfs() {
  local line=${COMP_LINE:0:COMP_POINT} words typed cut
  read -ra words <<<"$line"
  [[ $line == *[[:space:]] ]] && words+=("")
  typed=${words[-1]}
  mapfile -t COMPREPLY < <("${words[0]}" __complete "${words[@]:1}" 2>/dev/null)
  [[ ${#COMPREPLY[@]} -eq 1 && ${COMPREPLY[0]} == *@ ]] && compopt -o nospace 2>/dev/null
  cut=${typed%"${typed##*[@:=]}"}
  [[ $COMP_WORDBREAKS == *@* && -n $cut ]] && COMPREPLY=("${COMPREPLY[@]#"$cut"}")
  return 0
}
complete -o default -F _pfs pfs pachctl
)";

constexpr char kZsh[] = R"(#compdef pfs pachctl
# for zsh: source <(pfs completion zsh), or as a file _pfs in $fpath
_pfs() {
  local -a found open whole
  found=("${(@f)$("${words[1]}" __complete "${(@)words[2,CURRENT]}" 2>/dev/null)}")
  open=(${(M)found:#*@})
  whole=(${found:#*@})
  (( ${#open} )) && compadd -S '' -a open
  (( ${#whole} )) && compadd -a whole
  (( ${#open} + ${#whole} )) || _files
}
if [[ $funcstack[1] == _pfs ]]; then _pfs "$@"; else compdef _pfs pfs pachctl; fi
)";

constexpr char kFish[] = R"(# for fish: pfs completion fish | source
function __pfs_complete
  set -l words (commandline -opc)
  $words[1] __complete $words[2..-1] (commandline -ct) 2>/dev/null
end
complete -c pfs -a '(__pfs_complete)'
complete -c pachctl -a '(__pfs_complete)'
)";

constexpr std::uint64_t kNewestJobs = 100;   // ids that are offered
constexpr std::chrono::seconds kPatience{1};  // somebody waits at the prompt

std::vector<const CLI::App*> subcommands(const CLI::App& app) {
  return app.get_subcommands([](const CLI::App*) { return true; });
}

/// What a positional argument, or an option's value, is a name of.
std::string kind_of(const CLI::Option& option) {
  const auto name = option.get_positional() ? option.get_name(true) : option.get_name(false, true);
  if (name.find("pipeline") != name.npos) return "pipeline";
  if (name.find("job") != name.npos) return "job";
  if (name.find("secret") != name.npos) return "secret";
  for (const auto* word : {"branch", "commit", "file", "directory", "source", "target", "head"}) {
    if (name.find(word) != name.npos) return "branch";
  }
  return name.find("repo") != name.npos ? "repo" : "";
}

std::vector<std::string> that_begin_with(const std::string& typed,
                                         const std::vector<std::string>& all) {
  std::vector<std::string> some;
  for (const auto& one : all) {
    if (one.starts_with(typed)) some.push_back(one);
  }
  return some;
}

std::vector<std::string> repos_like(const client::Connection& connection, const char* behind) {
  std::vector<std::string> names;
  if (const auto repos = client::Repos(connection).list()) {
    for (const auto& repo : *repos) names.push_back(repo.name + behind);
  }
  return names;
}

/// Nothing where the daemon does not answer at once: there is nobody to tell.
std::vector<std::string> names_like(Session& session, const std::string& kind,
                                    const std::string& typed) {
  session.set_default_timeout(kPatience);
  const auto connection = session.connection();
  if (!connection) return {};
  std::vector<std::string> names;
  if (kind == "pipeline") {
    const auto pipelines = client::Pipelines(**connection).list();
    if (!pipelines) return {};
    for (const auto& pipeline : *pipelines) names.push_back(pipeline.name);
    return names;
  }
  if (kind == "job") {
    const auto add = [&names](const client::Job& job) {
      names.push_back(job.id);
      return Result<void>();
    };
    if (!client::Jobs(**connection).list({std::nullopt, {}, kNewestJobs}, add)) return {};
    return names;
  }
  if (kind == "secret") {
    const auto secrets = client::Secrets(**connection).list();
    if (!secrets) return {};
    for (const auto& secret : *secrets) names.push_back(secret.name);
    return names;
  }
  const auto at = typed.find('@');
  if (kind == "repo" || at == typed.npos)
    return repos_like(**connection, kind == "repo" ? "" : "@");
  const auto repo = RepoName::parse(typed.substr(0, at));
  if (!repo) return {};
  const auto branches = client::Branches(**connection).list(*repo);
  if (!branches) return {};
  for (const auto& branch : *branches) names.push_back(branch.repo + "@" + branch.name);
  return names;
}

/// The script of the shell that an argument names.
struct ShellScript {
  std::string text;

  /// Errors: kInvalid (no shell that is known).
  static Result<ShellScript> parse(const std::string& shell) {
    auto text = completion_script(shell);
    if (text) return ShellScript{*std::move(text)};
    return Error{Code::kInvalid, fmt::format("'{}' is no shell that is known; say bash, zsh or "
                                             "fish",
                                             printable(shell))};
  }
};

struct Arguments {
  ShellScript script;
  std::vector<std::string> words;
  bool manual = false;
};

Result<void> print_script(const Arguments& arguments) {
  fmt::print("{}", arguments.script.text);
  return {};
}

/// Errors: kInvalid (there is no such command), with what was probably meant.
Result<const CLI::App*> command_named(const CLI::App& app, const std::vector<std::string>& words) {
  const CLI::App* command = &app;
  std::string above;  // the words that are known, each with a space behind it
  for (const auto& word : words) {
    const CLI::App* found = nullptr;
    std::vector<std::string> names;
    for (const auto* sub : subcommands(*command)) {
      names.push_back(sub->get_name());
      if (names.back() == word) found = sub;
    }
    if (found == nullptr) {
      const auto near = near_miss(word, names);
      return Error{Code::kInvalid,
                   fmt::format("'{}{}' is no command; {}", above, printable(word),
                               near ? fmt::format("did you mean '{}{}'?", above, *near)
                                    : "'pfs help' lists them")};
    }
    above += word + " ";
    command = found;
  }
  return command;
}

Result<void> check_words(const Grammar& grammar, const Arguments& arguments) {
  if (arguments.manual) return {};
  PFS_TRY(command_named(grammar.app(), arguments.words));
  return {};
}

Result<void> help(Grammar& grammar, const Arguments& arguments) {
  if (arguments.manual) {
    fmt::print("{}", manual_page(grammar.app(), PFS_VERSION));
    return {};
  }
  PFS_TRY_ASSIGN(const auto* command, command_named(grammar.app(), arguments.words));
  fmt::print("{}", command->help());
  return {};
}

}  // namespace

std::optional<std::string> completion_script(const std::string& shell) {
  if (shell == "bash") return kBash;
  if (shell == "zsh") return kZsh;
  if (shell == "fish") return kFish;
  return std::nullopt;
}

std::vector<std::string> completions(const CLI::App& app, const std::vector<std::string>& words,
                                     const NamesLike& known_names) {
  const auto typed = words.empty() ? std::string() : words.back();
  const CLI::App* command = &app;
  const CLI::Option* awaiting = nullptr;  // a flag whose value comes next
  std::size_t arguments = 0;
  for (std::size_t i = 0; i + 1 < words.size(); ++i) {
    const auto& word = words[i];
    if (awaiting != nullptr) {
      awaiting = nullptr;
    } else if (word.size() > 1 && word.front() == '-') {
      const auto* option = option_named(command, word.substr(0, word.find('=')));
      const bool has_value = option != nullptr && option->get_items_expected_max() > 0;
      if (has_value && word.find('=') == word.npos) awaiting = option;
    } else {
      const auto below = subcommands(*command);
      const auto found = std::find_if(below.begin(), below.end(),
                                      [&](const auto* sub) { return sub->get_name() == word; });
      if (found != below.end()) {
        command = *found;
      } else {
        ++arguments;
      }
    }
  }
  std::vector<std::string> all;
  if (awaiting != nullptr) {
    all = kind_of(*awaiting).empty() ? all : known_names(kind_of(*awaiting), typed);
  } else if (typed.starts_with('-')) {
    for (const auto* level = command; level != nullptr; level = level->get_parent()) {
      for (const auto* option : level->get_options()) {
        for (const auto& name : option->get_lnames()) all.push_back("--" + name);
      }
    }
  } else if (const auto below = subcommands(*command); !below.empty()) {
    for (const auto* sub : below) all.push_back(sub->get_name());
  } else {
    const auto positionals = command->get_options(
        [](const CLI::Option* option) { return option->get_positional(); });
    if (!positionals.empty()) {
      const auto kind = kind_of(*positionals[std::min(arguments, positionals.size() - 1)]);
      if (!kind.empty()) all = known_names(kind, typed);
    }
  }
  return that_begin_with(typed, all);
}

void print_completions(Grammar& grammar, Session& session, const std::vector<std::string>& words) {
  const auto names = [&session](const std::string& kind, const std::string& typed) {
    return names_like(session, kind, typed);
  };
  for (const auto& one : completions(grammar.app(), words, names)) fmt::print("{}\n", one);
}

void add_help_commands(Grammar& grammar, Session&) {
  const auto arguments = std::make_shared<Arguments>();
  auto& completes = grammar.command("completion", "Print a script that completes commands in a shell",
                                    [arguments] { return print_script(*arguments); });
  add_parsed(completes, "shell", arguments->script, "bash, zsh or fish")->required();
  auto& helps = grammar.command("help", "Print what a command takes",
                                [&grammar, arguments] { return help(grammar, *arguments); },
                                [&grammar, arguments] { return check_words(grammar, *arguments); });
  helps.add_option("words", arguments->words, "The command");
  helps.add_flag("--man", arguments->manual, "Print pfs(1), for man -l -");
}

}  // namespace pfs::cli
