#include "cli/grammar.h"

#include <catch2/catch.hpp>

#include "base/names.h"

namespace pfs::cli {
namespace {

/// A language of one sentence: `create repo NAME`.
class Language {
 public:
  Language() {
    auto& command = grammar_.command("create", "repo", "Make a repo", [this]() -> Result<void> {
      done_ = name_.str();
      return {};
    });
    add_parsed(command, "name", name_, "Its name")->required();
  }

  /// What the command was given, or the exit status.
  std::string say(std::vector<std::string> arguments) {
    const auto outcome = grammar_.parse(std::move(arguments));
    if (!outcome.action) return "status " + std::to_string(outcome.status);
    REQUIRE(outcome.action());
    return done_;
  }

 private:
  Grammar grammar_{"pfs"};
  RepoName name_;
  std::string done_;
};

TEST_CASE("a command is a verb and a noun, in the plural too, or joined by a hyphen",
          "[cli][grammar]") {
  CHECK(Language().say({"create", "repo", "data"}) == "data");
  CHECK(Language().say({"create", "repos", "data"}) == "data");
  CHECK(Language().say({"create-repo", "data"}) == "data");
}

TEST_CASE("an argument that looks like an old command stays an argument", "[cli][grammar]") {
  CHECK(Language().say({"create", "repo", "create-repo"}) == "create-repo");
}

TEST_CASE("what makes no sense is an error of usage", "[cli][grammar]") {
  CHECK(Language().say({}) == "status 2");
  CHECK(Language().say({"create"}) == "status 2");
  CHECK(Language().say({"destroy", "repo", "data"}) == "status 2");
  CHECK(Language().say({"create", "repo"}) == "status 2");
  CHECK(Language().say({"create", "repo", "a", "b"}) == "status 2");
  CHECK(Language().say({"create", "repo", "no good name"}) == "status 2");
}

TEST_CASE("help is no error", "[cli][grammar]") { CHECK(Language().say({"--help"}) == "status 0"); }

}  // namespace
}  // namespace pfs::cli
