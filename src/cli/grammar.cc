#include "cli/grammar.h"

#include <algorithm>
#include <charconv>
#include <iterator>
#include <string_view>
#include <utility>

#include <fmt/format.h>

#include "base/names.h"
#include "cli/near_miss.h"

namespace pfs::cli {
namespace {

using Words = std::vector<std::string>;

/// What is between the parts of a noun's address, `data@master:/path`; once it was a space.
struct Marks {
  std::string_view noun;
  std::string_view marks;
  bool slash = false;  ///< long before, it was a slash, in one word
};
// `flush job` is about commits; no id of a job has a slash in it
constexpr Marks kMarks[] = {{"branch", "@"}, {"commit", "@", true}, {"file", "@:"}, {"job", "", true}};

std::string plural_of(const std::string& noun) {
  return noun + (noun.ends_with("ch") ? "es" : "s");
}

std::vector<std::string> names_of_subcommands(const CLI::App& command) {
  std::vector<std::string> names;
  for (const auto* sub : command.get_subcommands([](const CLI::App*) { return true; })) {
    names.push_back(sub->get_name());
  }
  return names;
}

/// Of the command and of those above it, whose options it takes as well.
std::vector<std::string> flags_of(const CLI::App& command) {
  std::vector<std::string> flags;
  for (const auto* level = &command; level != nullptr; level = level->get_parent()) {
    for (const auto* option : level->get_options()) {
      for (const auto& name : option->get_lnames()) flags.push_back("--" + name);
    }
  }
  return flags;
}

CLI::App* subcommand(const CLI::App& command, const std::string& name) {
  for (auto* sub : const_cast<CLI::App&>(command).get_subcommands([](CLI::App*) { return true; })) {
    if (sub->get_name() == name) return sub;
  }
  return nullptr;
}

void hint(const std::string& program, const std::string& old_form, const std::string& now) {
  fmt::print(stderr, "{}: '{}' is an old form of '{}'\n", program, printable(old_form),
             printable(now));
}

/// Whether a flag, or the last of short ones in one word (`-rf`), has its value in the next word.
bool value_follows(const CLI::App& command, const std::string& flag) {
  const auto takes_value = [&command](const std::string& name) {
    const auto* option = option_named(&command, name);
    return option != nullptr && option->get_items_expected_max() > 0;
  };
  if (flag.starts_with("--")) return takes_value(flag);  // `--flag=value` is the name of none
  for (std::size_t i = 1; i < flag.size(); ++i) {
    if (takes_value({'-', flag[i]})) return i + 1 == flag.size();
  }
  return false;
}

/// Where the next word is that is no option of the command; `arguments.size()`: nowhere.
std::size_t next_word(const CLI::App& command, const Words& arguments, std::size_t from) {
  while (from < arguments.size() && arguments[from].starts_with('-')) {
    from += value_follows(command, arguments[from]) ? 2 : 1;
  }
  return std::min(from, arguments.size());
}

/// `create-repo` becomes two words.
void part_at_hyphen(const CLI::App& app, Words& arguments) {
  const auto at = next_word(app, arguments, 0);
  if (at == arguments.size() || subcommand(app, arguments[at]) != nullptr) return;
  const auto old_form = arguments[at];
  const auto hyphen = old_form.find('-');
  const auto verb_name = old_form.substr(0, hyphen);
  const auto* verb = subcommand(app, verb_name);
  if (hyphen == old_form.npos || verb == nullptr) return;
  const auto noun = old_form.substr(hyphen + 1);
  for (const auto& known : names_of_subcommands(*verb)) {
    if (noun != known && noun != plural_of(known)) continue;
    hint(app.get_name(), old_form, fmt::format("{} {}", verb_name, known));
    arguments[at] = verb_name;
    arguments.insert(arguments.begin() + static_cast<std::ptrdiff_t>(at) + 1, known);
    return;
  }
}

/// `data/master` as `data@master`; what is not that stays. No name has a slash in it.
std::string without_slash(const std::string& address) {
  const auto slash = address.find('/');
  if (slash == address.npos) return address;
  const auto now = address.substr(0, slash) + "@" + address.substr(slash + 1);
  return CommitRef::parse(now) ? now : address;
}

/// Whether one of the words from `at` on is a whole address of a file, as it is written today.
bool says_addresses(const CLI::App& command, const Words& arguments, std::size_t at) {
  for (; at < arguments.size(); at = next_word(command, arguments, at + 1)) {
    const auto mark = arguments[at].find('@');
    if (mark != std::string::npos && arguments[at].find(':', mark) != std::string::npos) return true;
  }
  return false;
}

/// `data master /path` becomes `data@master:/path`, from the word at `at` on; each of several.
void join_addresses(const CLI::App& command, const std::string& program, Words& arguments,
                    std::size_t at) {
  const auto* known = std::find_if(std::begin(kMarks), std::end(kMarks), [&](const Marks& marks) {
    return marks.noun == command.get_name();
  });
  if (known == std::end(kMarks)) return;
  const bool is_of_words = !says_addresses(command, arguments, at);
  for (; at < arguments.size(); at = next_word(command, arguments, at + 1)) {
    auto& address = arguments[at];
    auto old_form = address;
    if (known->slash) address = without_slash(address);
    for (const char mark : is_of_words ? known->marks : "") {
      const auto next = next_word(command, arguments, at + 1);
      if (next == arguments.size()) break;
      // what is not just a repo's name is no beginning, and what has an @ is an address of its own
      const bool own = !RepoName::parse(address) || arguments[next].find('@') != address.npos;
      if (mark == '@' && own) break;
      old_form += " " + arguments[next];
      address += mark + arguments[next];
      arguments.erase(arguments.begin() + static_cast<std::ptrdiff_t>(next));
    }
    if (old_form != address) hint(program, old_form, address);
  }
}

// CLI11 says most of it well, but begins with a capital
std::string lower_first(std::string text) {
  if (text.size() > 1 && text[1] >= 'a' && text[1] <= 'z' && text[0] >= 'A' && text[0] <= 'Z')
    text[0] = static_cast<char>(text[0] - 'A' + 'a');
  return text;
}

}  // namespace

Grammar::Grammar(const std::string& program)
    : app_("Versioned data as directories, and pipelines on top of them", program) {
  app_.require_subcommand(1);
  app_.fallthrough();
}

CLI::App& Grammar::verb(const std::string& name) {
  CLI::App* verb = &app_;
  std::size_t begin = 0;
  while (begin < name.size()) {
    const auto end = std::min(name.find(' ', begin), name.size());
    const auto word = name.substr(begin, end - begin);
    auto* next = subcommand(*verb, word);
    if (next == nullptr) {
      next = verb->add_subcommand(word);
      next->require_subcommand(1);
      next->fallthrough();
      // of two words: help says what may follow the first
      const auto known = verb->get_description();
      if (verb != &app_) verb->description(known.empty() ? word : fmt::format("{}, {}", known, word));
    }
    verb = next;
    begin = end + 1;
  }
  return *verb;
}

CLI::App& Grammar::command(const std::string& verb_name, const std::string& noun,
                           const std::string& description, Action action, Check check) {
  auto& about = verb(verb_name);
  auto& command = *about.add_subcommand(noun, description);
  choose(command, std::move(action), std::move(check));
  verbs_of_[noun].push_back(verb_name);
  // what help says of the verb
  const auto known = about.get_description();
  about.description(known.empty() ? noun : known + ", " + noun);
  return command;
}

CLI::App& Grammar::command(const std::string& word, const std::string& description, Action action,
                           Check check) {
  auto& command = *app_.add_subcommand(word, description);
  choose(command, std::move(action), std::move(check));
  return command;
}

void Grammar::choose(CLI::App& command, Action action, Check check) {
  command.fallthrough();
  // called once everything has been read: help, and what is not known, come before the check
  command.callback([this, action = std::move(action), check = std::move(check)] {
    const auto sense = check ? check() : Result<void>();
    if (!sense) throw CLI::ValidationError(sense.error().message);  // as CLI11 refuses; see parse()
    chosen_ = action;
  });
}

Grammar::Outcome Grammar::parse(std::vector<std::string> arguments) {
  modernise(arguments);
  const Words as_given = arguments;
  std::reverse(arguments.begin(), arguments.end());  // as CLI11 wants them
  try {
    app_.parse(std::move(arguments));
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) {
      app_.exit(error);  // prints the help
      return {};
    }
    explain(error, as_given);
    return {nullptr, kUsage};
  }
  return {chosen_, 0};
}

void Grammar::modernise(Words& arguments) const {
  const auto program = app_.get_name();
  part_at_hyphen(app_, arguments);
  const CLI::App* command = &app_;
  auto at = next_word(app_, arguments, 0);
  while (at < arguments.size()) {
    const auto names = names_of_subcommands(*command);
    if (names.empty()) break;
    auto& word = arguments[at];
    const auto* next = subcommand(*command, word);
    for (const auto& known : names) {
      if (next != nullptr) break;
      if (command != &app_ && word == plural_of(known)) {
        hint(program, word, known);
        next = subcommand(*command, word = known);
      } else if (const auto hyphen = known.find('-');
                 hyphen != known.npos && word == known.substr(0, hyphen) &&
                 at + 1 < arguments.size() && arguments[at + 1] == known.substr(hyphen + 1)) {
        // "active context"
        arguments.erase(arguments.begin() + static_cast<std::ptrdiff_t>(at) + 1);
        next = subcommand(*command, arguments[at] = known);
      }
    }
    if (next == nullptr) return;
    command = next;
    at = next_word(*command, arguments, at + 1);
  }
  join_addresses(*command, program, arguments, at);
}

std::string Grammar::meant(const CLI::App& command, const std::string& unknown,
                           const Words& arguments) const {
  if (unknown.starts_with('-')) {
    const auto flag = unknown.substr(0, unknown.find('='));
    const auto near = near_miss(flag, flags_of(command));
    return near ? fmt::format("; did you mean '{}'?", *near) : "";
  }
  if (&command == &app_) {
    // "repo list", or a noun alone
    for (const auto& [noun, verbs] : verbs_of_) {
      if (unknown != noun && unknown != plural_of(noun)) continue;
      const auto at = next_word(app_, arguments, next_word(app_, arguments, 0) + 1);
      if (at < arguments.size()) {
        const auto near = near_miss(arguments[at], verbs);
        if (near) return fmt::format("; did you mean '{} {}'?", *near, noun);
      }
      std::string all;
      for (const auto& verb : verbs) all += fmt::format("{}{} {}", all.empty() ? "" : ", ", verb, noun);
      return "; say one of: " + all;
    }
    if (const auto hyphen = unknown.find('-'); hyphen != unknown.npos) {
      const auto verb = near_miss(unknown.substr(0, hyphen), names_of_subcommands(app_));
      if (verb) {
        const auto noun =
            near_miss(unknown.substr(hyphen + 1), names_of_subcommands(*subcommand(app_, *verb)));
        if (noun) return fmt::format("; did you mean '{} {}'?", *verb, *noun);
      }
    }
  }
  const auto names = names_of_subcommands(command);
  const auto near = near_miss(unknown, names);
  return near ? fmt::format("; did you mean '{}'?", *near)
              : fmt::format("; say one of: {}", fmt::join(names, ", "));
}

void Grammar::explain(const CLI::ParseError& error, const Words& arguments) const {
  std::string said = app_.get_name();
  const CLI::App* command = &app_;
  auto unknown = app_.remaining(true);
  const auto first = next_word(app_, arguments, 0);
  // CLI11 looks for a verb behind a word that is none
  const bool no_verb =
      first < arguments.size() && subcommand(app_, arguments[first]) == nullptr;
  if (no_verb) unknown = {arguments[first]};
  while (!no_verb && !command->get_subcommands().empty()) {
    command = command->get_subcommands().front();
    said += " " + command->get_name();
  }
  const auto names = names_of_subcommands(*command);
  std::string trouble;
  if (!unknown.empty() && (!names.empty() || unknown.front().starts_with('-'))) {
    trouble = fmt::format("'{}' is not known{}", printable(unknown.front()),
                          meant(*command, unknown.front(), arguments));
  } else if (!names.empty()) {
    // CLI11 says no more than that a subcommand is required
    trouble = fmt::format("a word is missing; say one of: {}", fmt::join(names, ", "));
  } else {
    trouble = lower_first(error.what());
  }
  fmt::print(stderr, "{}: {}\nSee '{} --help'\n", said, trouble, said);
}

const CLI::Option* option_named(const CLI::App* command, const std::string& flag) {
  for (; command != nullptr; command = command->get_parent()) {
    if (const auto* option = command->get_option_no_throw(flag)) return option;
  }
  return nullptr;
}

Result<NumberArgument> NumberArgument::parse(std::string_view text) {
  NumberArgument number;
  const auto* end = text.data() + text.size();
  const auto read = std::from_chars(text.data(), end, number.value);
  if (read.ec == std::errc() && read.ptr == end) return number;
  return Error{Code::kInvalid, fmt::format("'{}' is no number from 0 on", printable(text))};
}

}  // namespace pfs::cli
