#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>

#include "base/result.h"

namespace pfs::cli {

/// What a command does once its arguments have been read.
using Action = std::function<Result<void>()>;
/// Whether arguments that are right one by one make sense together; its error is one of usage.
using Check = std::function<Result<void>()>;

/// The language of `pfs`: VERB NOUN ARGUMENTS, and a few words that stand alone.
///
/// Old spellings still work, with a hint on stderr: nouns in the plural, verb and noun joined by a
/// hyphen (`create-repo`), an address in several words (`data master /path`) or, of a commit, with a
/// slash (`data/master`). What is not known is refused with what was probably meant.
class Grammar {
 public:
  /// `program`: the name that it was called by.
  explicit Grammar(const std::string& program);

  /// For options that every command takes.
  CLI::App& app() { return app_; }
  const CLI::App& app() const { return app_; }
  /// Adds `verb noun`; the caller adds its options. `action` runs when that command was given, and
  /// `check`, where there is one, found nothing. A verb may be two words (`config get`), and a noun
  /// joined by a hyphen is known as two words as well.
  CLI::App& command(const std::string& verb, const std::string& noun,
                    const std::string& description, Action action, Check check = nullptr);
  CLI::App& command(const std::string& word, const std::string& description, Action action,
                    Check check = nullptr);

  /// Reads the arguments, without the program's name. Shape: the action of the command that was
  /// given, or the exit status when there is nothing to do: 0 for help, kUsage for arguments that
  /// make no sense (told on stderr).
  struct Outcome {
    Action action;
    int status = 0;
  };
  Outcome parse(std::vector<std::string> arguments);

  static constexpr int kUsage = 2;

 private:
  using Words = std::vector<std::string>;

  /// Makes it at its first use, the words above it, too.
  CLI::App& verb(const std::string& name);
  /// What happens when the command was given.
  void choose(CLI::App& command, Action action, Check check);
  /// Turns old spellings of the command into today's, and tells so.
  void modernise(Words& arguments) const;
  void explain(const CLI::ParseError& error, const Words& arguments) const;
  /// `; did you mean …?`, or nothing.
  std::string meant(const CLI::App& command, const std::string& unknown,
                    const Words& arguments) const;

  CLI::App app_;
  std::map<std::string, Words> verbs_of_;  // noun: the verbs that it has
  Action chosen_;
};

/// The option of the command, or of one above it, that goes by this flag; null: none does.
const CLI::Option* option_named(const CLI::App* command, const std::string& flag);

/// Why `T::parse` refuses a text; empty: it does not.
template <class T>
std::string refusal(const std::string& text) {
  const auto parsed = T::parse(text);
  return parsed ? std::string() : parsed.error().message;
}

/// An argument that is parsed by `T::parse` into a T or a std::optional of one; what cannot be
/// parsed is an error of usage. `out` must live as long as the command.
template <class T, class Out>
CLI::Option* add_argument(CLI::App& command, const std::string& name, Out& out,
                          const std::string& description) {
  const auto take = [&out](const std::string& text) {
    if (auto parsed = T::parse(text)) out = *std::move(parsed);
  };
  return command.add_option_function<std::string>(name, take, description)->check(refusal<T>);
}

template <class T>
CLI::Option* add_parsed(CLI::App& command, const std::string& name, T& out,
                        const std::string& description) {
  return add_argument<T>(command, name, out, description);
}
template <class T>
CLI::Option* add_parsed(CLI::App& command, const std::string& name, std::optional<T>& out,
                        const std::string& description) {
  return add_argument<T>(command, name, out, description);
}
/// One or several of them.
template <class T>
CLI::Option* add_parsed(CLI::App& command, const std::string& name, std::vector<T>& out,
                        const std::string& description) {
  const auto take = [&out](const std::vector<std::string>& texts) {
    for (const auto& text : texts) {
      if (auto parsed = T::parse(text)) out.push_back(*std::move(parsed));
    }
  };
  return command.add_option_function<std::vector<std::string>>(name, take, description)
      ->check(refusal<T>);
}

/// A number from 0 on as an argument, in decimal digits: CLI11 itself reads -1 as 2^64-1, and 010 as 8.
struct NumberArgument {
  std::uint64_t value = 0;

  /// Errors: kInvalid.
  static Result<NumberArgument> parse(std::string_view text);
  operator std::uint64_t() const { return value; }  // NOLINT(google-explicit-constructor): it is one
};

/// Every option that is a number: `out` is a std::uint64_t, or a std::optional of one.
template <class Out>
CLI::Option* add_number(CLI::App& command, const std::string& name, Out& out,
                        const std::string& description) {
  return add_argument<NumberArgument>(command, name, out, description)->type_name("UINT");
}

}  // namespace pfs::cli
