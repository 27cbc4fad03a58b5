#include "cli/completion.h"

#include <algorithm>
#include <chrono>
#include <memory>
#include <utility>

#include <fmt/format.h>

#include "api/client/branches.h"
#include "api/client/jobs.h"
#include "api/client/pipelines.h"
#include "api/client/repos.h"
#include "api/client/secrets.h"
#include "api/client/transactions.h"
#include "base/names.h"
#include "cli/commands.h"
#include "cli/config.h"
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

constexpr std::pair<const char*, const char*> kScripts[] = {{"bash", kBash}, {"zsh", kZsh}, {"fish", kFish}};

constexpr std::uint64_t kNewestJobs = 100;   // ids that are offered
constexpr std::chrono::seconds kPatience{1};  // somebody waits at the prompt

std::vector<const CLI::App*> subcommands(const CLI::App& app) {
  return app.get_subcommands([](const CLI::App*) { return true; });
}

/// Flags whose values are names. A `head` is a branch of the repo that the first argument is in.
constexpr std::pair<const char*, const char*> kFlagKinds[] = {
    {"pipeline", "pipeline"}, {"job", "job"},     {"repos", "repo"}, {"provenance", "branch"},
    {"input", "branch"},      {"output-commit", "branch"},
    {"head", "head"},         {"parent", "head"}, {"from", "head"},  {"trigger", "head"}};

/// What an option's value is a name of; empty: of nothing, or of a local file.
std::string kind_of_value(const CLI::Option& option) {
  for (const auto& [flag, kind] : kFlagKinds) {
    if (option.check_lname(flag)) return kind;
  }
  return "";
}

/// What an argument is a name of.
std::string kind_of(const CLI::Option& option) {
  if (!option.get_positional()) return kind_of_value(option);
  const auto name = option.get_name(true);
  for (const auto* word : {"pipeline", "job", "secret", "shell", "context", "transaction"}) {
    if (name.find(word) != name.npos) return word;
  }
  for (const auto* word : {"branch", "commit", "file", "directory", "source", "target"}) {
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

std::vector<std::string> branches_like(const client::Connection& connection,
                                       const std::string& typed) {
  const auto at = typed.find('@');
  if (at == typed.npos) return repos_like(connection, "@");
  const auto repo = RepoName::parse(typed.substr(0, at));
  if (!repo) return {};
  std::vector<std::string> names;
  if (const auto branches = client::Branches(connection).list(*repo)) {
    for (const auto& branch : *branches) names.push_back(branch.repo + "@" + branch.name);
  }
  return names;
}

std::vector<std::string> newest_jobs(const client::Connection& connection) {
  std::vector<std::string> ids;
  const auto add = [&ids](const client::Job& job) -> Result<void> {
    ids.push_back(job.id);
    return {};
  };
  if (!client::Jobs(connection).list({std::nullopt, {}, kNewestJobs}, add)) return {};
  return ids;
}

std::vector<std::string> contexts() {
  const auto path = Config::path(real_surroundings());
  const auto config = path ? Config::load(*path) : Config();
  return config ? config->contexts() : std::vector<std::string>();
}

template <class Thing>
std::vector<std::string> all_of(const Result<std::vector<Thing>>& things, std::string Thing::*name) {
  std::vector<std::string> names;
  if (!things) return names;
  for (const auto& thing : *things) names.push_back(thing.*name);
  return names;
}

/// Nothing where the daemon does not answer at once: there is nobody to tell.
std::vector<std::string> names_like(Session& session, const std::string& kind,
                                    const std::string& typed) {
  if (kind == "context") return contexts();
  session.set_default_timeout(kPatience);
  const auto found = session.connection();
  if (!found) return {};
  const auto& connection = **found;
  if (kind == "pipeline")
    return all_of(client::Pipelines(connection).list(), &client::Pipeline::name);
  if (kind == "secret") return all_of(client::Secrets(connection).list(), &client::Secret::name);
  if (kind == "transaction")
    return all_of(client::Transactions(connection).list(), &client::Transaction::id);
  if (kind == "job") return newest_jobs(connection);
  return kind == "repo" ? repos_like(connection, "") : branches_like(connection, typed);
}

/// Branches of the repo that `place` is in, without that in front unless it is typed.
std::vector<std::string> heads_like(const std::string& place, const std::string& typed,
                                    const NamesLike& known_names) {
  if (typed.find('@') != typed.npos) return known_names("branch", typed);
  const auto at = place.find('@');
  if (at == place.npos) return {};
  auto names = known_names("branch", place.substr(0, at + 1));
  for (auto& name : names) name.erase(0, at + 1);
  return names;
}

/// `place`: the command's first argument.
std::vector<std::string> names_of_kind(const std::string& kind, const std::string& place,
                                       const std::string& typed, const NamesLike& known_names) {
  if (kind.empty()) return {};
  if (kind == "head") return heads_like(place, typed, known_names);
  if (kind != "shell") return known_names(kind, typed);
  std::vector<std::string> shells;
  for (const auto& [shell, script] : kScripts) shells.emplace_back(shell);
  return shells;
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

/// As it is called: `pfs create branch`.
std::string spoken(const CLI::App& command) {
  const auto* above = command.get_parent();
  return above == nullptr ? command.get_name() : spoken(*above) + " " + command.get_name();
}

Result<void> help(Grammar& grammar, const Arguments& arguments) {
  if (arguments.manual) {
    fmt::print("{}", manual_page(grammar.app(), PFS_VERSION));
    return {};
  }
  PFS_TRY_ASSIGN(const auto* command, command_named(grammar.app(), arguments.words));
  // not by CLI11's own help(): that is about the command that was given, which is `help`
  const auto text =
      command->get_formatter()->make_help(command, spoken(*command), CLI::AppFormatMode::Normal);
  fmt::print("{}", text);
  return {};
}

}  // namespace

std::optional<std::string> completion_script(const std::string& shell) {
  for (const auto& [known, script] : kScripts) {
    if (shell == known) return script;
  }
  return std::nullopt;
}

std::vector<std::string> completions(const CLI::App& app, const std::vector<std::string>& words,
                                     const NamesLike& known_names) {
  const auto typed = words.empty() ? std::string() : words.back();
  const CLI::App* command = &app;
  const CLI::Option* awaiting = nullptr;  // a flag whose value comes next
  std::size_t arguments = 0;
  std::string first;  // of them
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
        if (arguments++ == 0) first = word;
      }
    }
  }
  std::vector<std::string> all;
  if (awaiting != nullptr) {
    all = names_of_kind(kind_of(*awaiting), first, typed, known_names);
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
      const auto& expected = *positionals[std::min(arguments, positionals.size() - 1)];
      all = names_of_kind(kind_of(expected), first, typed, known_names);
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
