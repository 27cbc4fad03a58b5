#include "cli/manual.h"

#include <catch2/catch.hpp>

#include "base/base64.h"
#include "cli/commands.h"
#include "cli/completion.h"
#include "cli/doctor_checks.h"

namespace pfs::cli {
namespace {

/// The options of a command, and of those below it, that are numbers.
void add_numbers(CLI::App& command, std::vector<CLI::Option*>& numbers) {
  for (auto* option : command.get_options()) {
    if (option->get_type_name().starts_with("UINT")) numbers.push_back(option);
  }
  for (auto* sub : command.get_subcommands([](CLI::App*) { return true; })) add_numbers(*sub, numbers);
}

/// The whole language.
struct Whole {
  Grammar grammar{"pfs"};
  Session session{grammar};
  Whole() { add_commands(grammar, session); }

  /// Completions of the last word, with one repo `data` that has a branch `master`, and a job `4f6a`.
  std::vector<std::string> completed(const std::vector<std::string>& words) {
    return completions(grammar.app(), words, [](const std::string& kind, const std::string& typed) {
      if (kind == "repo") return std::vector<std::string>{"data"};
      if (kind == "job") return std::vector<std::string>{"4f6a"};
      if (kind == "context") return std::vector<std::string>{"home"};
      if (kind == "transaction") return std::vector<std::string>{"7e57"};
      if (kind != "branch") return std::vector<std::string>{};
      return std::vector<std::string>{typed.find('@') == typed.npos ? "data@" : "data@master"};
    });
  }
};

using Words = std::vector<std::string>;

TEST_CASE("the manual has every command, and no line that roff would take for its own",
          "[cli][manual]") {
  Whole whole;
  const auto page = manual_page(whole.grammar.app(), "1.2.3");
  CHECK(page.starts_with(".TH PFS 1 "));
  for (const auto* part : {".SS \"pfs create repo repo\"", ".SS \"pfs run pipeline", ".SS \"pfs debug datum", ".SS \"pfs flush job", ".SS \"pfs wait job", ".SS \"pfs config get active\\-context\"",
                           "\\-\\-full\\-timestamps", ".SH EXIT STATUS"}) {
    CAPTURE(part);
    CHECK(page.find(part) != page.npos);
  }
}

TEST_CASE("verbs, nouns, flags and names are completed", "[cli][completion]") {
  Whole whole;
  CHECK(whole.completed({"crea"}) == Words{"create"});
  CHECK(whole.completed({"create", "re"}) == Words{"repo"});
  CHECK(whole.completed({"config", "get", "act"}) == Words{"active-context"});
  CHECK(whole.completed({"list", "repo", "--full"}) == Words{"--full-timestamps"});
  CHECK(whole.completed({"list", "repo", "--no-pa"}) == Words{"--no-pager"});
  CHECK(whole.completed({"inspect", "repo", ""}) == Words{"data"});
  CHECK(whole.completed({"inspect", "branch", "da"}) == Words{"data@"});
  CHECK(whole.completed({"inspect", "branch", "data@m"}) == Words{"data@master"});
  CHECK(whole.completed({"watch", "job", ""}) == Words{"4f6a"});
  CHECK(whole.completed({"wait", "job", ""}) == Words{"4f6a"});
  CHECK(whole.completed({"flush", "job", "data@m"}) == Words{"data@master"});
  CHECK(whole.completed({"restart", "datum", "4"}) == Words{"4f6a"});
  CHECK(whole.completed({"logs", "--job", "4"}) == Words{"4f6a"});
  CHECK(whole.completed({"--timeout", "5s", "inspect", "branch", "data@x"}).empty());
}

TEST_CASE("what a flag names is completed: branches of the command's own repo without it in front",
          "[cli][completion]") {
  Whole whole;
  for (const auto* flag : {"--head", "--trigger"}) {
    CAPTURE(flag);
    CHECK(whole.completed({"create", "branch", "data@x", flag, ""}) == Words{"master"});
    CHECK(whole.completed({"create", "branch", "data@x", flag, "data@"}) == Words{"data@master"});
    CHECK(whole.completed({"create", "branch", flag, ""}).empty());
  }
  CHECK(whole.completed({"start", "commit", "data@x", "-p", "m"}) == Words{"master"});
  CHECK(whole.completed({"list", "commit", "data@x", "--from", "m"}) == Words{"master"});
  CHECK(whole.completed({"create", "branch", "out@x", "-p", "da"}) == Words{"data@"});
  CHECK(whole.completed({"create", "branch", "out@x", "--provenance", "data@"}) == Words{"data@master"});
  CHECK(whole.completed({"flush", "commit", "data@x", "-r", ""}) == Words{"data"});
  // which are local files
  CHECK(whole.completed({"put", "file", "data@x", "-f", ""}).empty());
  CHECK(whole.completed({"sync", ""}).empty());
}

TEST_CASE("shells, contexts and transactions are completed", "[cli][completion]") {
  Whole whole;
  CHECK(whole.completed({"completion", ""}) == Words{"bash", "zsh", "fish"});
  CHECK(whole.completed({"completion", "z"}) == Words{"zsh"});
  CHECK(whole.completed({"config", "set", "active-context", ""}) == Words{"home"});
  CHECK(whole.completed({"config", "delete", "context", "h"}) == Words{"home"});
  CHECK(whole.completed({"config", "set", "context", ""}).empty());
  CHECK(whole.completed({"resume", "transaction", ""}) == Words{"7e57"});
}

TEST_CASE("no option that is a number takes one below 0", "[cli]") {
  Whole whole;
  std::vector<CLI::Option*> numbers;
  add_numbers(whole.grammar.app(), numbers);
  CHECK(numbers.size() >= 12);
  for (auto* option : numbers) {
    CAPTURE(option->get_name());
    option->add_result("-1");
    CHECK_THROWS_WITH(option->run_callback(), Catch::Contains(option->get_name()) && Catch::Contains("'-1'"));
  }
}

TEST_CASE("each shell that is known has a script", "[cli][completion]") {
  for (const auto* shell : {"bash", "zsh", "fish"}) {
    REQUIRE(completion_script(shell));
    CHECK(completion_script(shell)->find("__complete") != std::string::npos);
  }
  CHECK_FALSE(completion_script("tcsh"));
}

TEST_CASE("base64 is read as it was written, and nothing else is", "[cli]") {
  CHECK(from_base64("") == "");
  CHECK(from_base64("Zg==") == "f");
  CHECK(from_base64("Zm9v\nYmE=\n") == "fooba");
  CHECK(from_base64("Zm9vYmFy") == "foobar");
  for (const auto* text : {"Z", "Zg=x", "Zm9v!", "Zh=="}) {
    CAPTURE(text);
    CHECK_FALSE(from_base64(text));
  }
}

TEST_CASE("little room on a disk is a warning, none is an error", "[cli][doctor]") {
  const std::uint64_t gib = std::uint64_t{1} << 30;
  CHECK(judge_space("d", 50 * gib, 100 * gib).verdict == Finding::Verdict::kOk);
  CHECK(judge_space("d", 4 * gib, 100 * gib).verdict == Finding::Verdict::kWarning);
  CHECK(judge_space("d", gib, 10 * gib).verdict == Finding::Verdict::kWarning);
  const auto full = judge_space("d", 1000, 10 * gib);
  CHECK(full.verdict == Finding::Verdict::kError);
  CHECK_FALSE(full.command.empty());
}

}  // namespace
}  // namespace pfs::cli
