#include "cli/grammar.h"

#include <algorithm>

#include <fmt/format.h>

namespace pfs::cli {
namespace {

const std::map<std::string, std::string>& plurals() {
  static const std::map<std::string, std::string> kPlurals = {
      {"repo", "repos"},     {"branch", "branches"},
      {"commit", "commits"}, {"transaction", "transactions"},
      {"file", "files"},     {"pipeline", "pipelines"},
      {"job", "jobs"},
  };
  return kPlurals;
}

std::string names_of_subcommands(const CLI::App& command) {
  std::string names;
  for (const auto* sub : command.get_subcommands([](const CLI::App*) { return true; })) {
    names += (names.empty() ? "" : ", ") + sub->get_name();
  }
  return names;
}

}  // namespace

Grammar::Grammar(const std::string& program)
    : app_("Versioned data as directories, and pipelines on top of them", program) {
  app_.require_subcommand(1);
  app_.fallthrough();
}

CLI::App& Grammar::verb(const std::string& name) {
  auto& verb = verbs_[name];
  if (verb == nullptr) {
    verb = app_.add_subcommand(name);
    verb->require_subcommand(1);
    verb->fallthrough();
  }
  return *verb;
}

CLI::App& Grammar::command(const std::string& verb_name, const std::string& noun,
                           const std::string& description, Action action) {
  auto& command = *verb(verb_name).add_subcommand(noun, description);
  command.fallthrough();
  command.callback([this, action = std::move(action)] { chosen_ = action; });
  const auto plural = plurals().find(noun);
  if (plural != plurals().end()) command.alias(plural->second);
  hyphened_[verb_name + "-" + noun] = {verb_name, noun};
  // what help says of the verb
  auto& about = *verbs_[verb_name];
  const auto known = about.get_description();
  about.description(known.empty() ? noun : known + ", " + noun);
  return command;
}

CLI::App& Grammar::command(const std::string& word, const std::string& description, Action action) {
  auto& command = *app_.add_subcommand(word, description);
  command.fallthrough();
  command.callback([this, action = std::move(action)] { chosen_ = action; });
  return command;
}

Grammar::Outcome Grammar::parse(std::vector<std::string> arguments) {
  split_hyphened(arguments);
  std::reverse(arguments.begin(), arguments.end());  // as CLI11 wants them
  try {
    app_.parse(std::move(arguments));
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) {
      app_.exit(error);  // prints the help
      return {};
    }
    explain(error);
    return {nullptr, kUsage};
  }
  return {chosen_, 0};
}

void Grammar::split_hyphened(std::vector<std::string>& arguments) const {
  for (auto it = arguments.begin(); it != arguments.end(); ++it) {
    if (verbs_.count(*it) != 0) return;
    const auto found = hyphened_.find(*it);
    if (found == hyphened_.end()) continue;
    const auto [verb_name, noun] = found->second;
    fmt::print(stderr, "{}: '{}' is an old form of '{} {}'\n", app_.get_name(), *it, verb_name,
               noun);
    *it = verb_name;
    arguments.insert(it + 1, noun);
    return;
  }
}

void Grammar::explain(const CLI::ParseError& error) const {
  std::string said = app_.get_name();
  const CLI::App* command = &app_;
  while (!command->get_subcommands().empty()) {
    command = command->get_subcommands().front();
    said += " " + command->get_name();
  }
  const auto words = names_of_subcommands(*command);
  if (words.empty()) {
    fmt::print(stderr, "{}: {}\nSee '{} --help'\n", said, error.what(), said);
    return;
  }
  // CLI11 says no more than that a subcommand is required
  const auto unknown = command->remaining();
  const auto trouble =
      unknown.empty() ? "a word is missing" : fmt::format("'{}' is not known", unknown.front());
  fmt::print(stderr, "{}: {}; say one of: {}\nSee '{} --help'\n", said, trouble, words, said);
}

}  // namespace pfs::cli
