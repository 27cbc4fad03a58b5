#include "cli/grammar.h"

#include <unistd.h>

#include <array>
#include <cstdio>
#include <utility>

#include <catch2/catch.hpp>

#include "base/names.h"

namespace pfs::cli {
namespace {

/// What is written to stderr while it lives.
class Stderr {
 public:
  Stderr() : kept_(::dup(STDERR_FILENO)), file_(std::tmpfile()) {
    ::dup2(::fileno(file_), STDERR_FILENO);
  }
  ~Stderr() { text(); }
  std::string text() {
    if (file_ == nullptr) return text_;
    std::fflush(stderr);
    std::array<char, 4096> buffer{};
    const auto got = ::pread(::fileno(file_), buffer.data(), buffer.size(), 0);
    text_.assign(buffer.data(), got > 0 ? static_cast<std::size_t>(got) : 0);
    ::dup2(kept_, STDERR_FILENO);
    ::close(kept_);
    std::fclose(std::exchange(file_, nullptr));
    return text_;
  }

 private:
  int kept_;
  std::FILE* file_;
  std::string text_;
};

/// A language of three sentences: `create repo NAME`, `auth whoami`, `config get active-context`.
class Language {
 public:
  Language() {
    auto& command = grammar_.command("create", "repo", "Make a repo", [this]() -> Result<void> {
      done_ = name_.str();
      return {};
    });
    add_parsed(command, "name", name_, "Its name")->required();
    command.add_flag("--full-timestamps", flag_, "A flag");
    const auto said = [this](const char* what) {
      return [this, what]() -> Result<void> {
        done_ = what;
        return {};
      };
    };
    grammar_.command("auth", "whoami", "Who you are", said("whoami"));
    grammar_.command("config get", "active-context", "Which one", said("active-context"));
    grammar_.app().add_option("--timeout", timeout_, "How long");
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
  bool flag_ = false;
  std::string timeout_;
  std::string done_;
};

/// What a person is told.
std::string told(std::vector<std::string> arguments) {
  Language language;
  Stderr said;
  (void)language.say(std::move(arguments));
  return said.text();
}

TEST_CASE("a command is a verb and a noun, in the plural too, or joined by a hyphen",
          "[cli][grammar]") {
  CHECK(Language().say({"create", "repo", "data"}) == "data");
  CHECK(Language().say({"create", "repos", "data"}) == "data");
  CHECK(Language().say({"create-repo", "data"}) == "data");
  CHECK(Language().say({"--timeout", "5s", "create-repo", "data"}) == "data");
  CHECK(Language().say({"config", "get", "active-context"}) == "active-context");
  CHECK(Language().say({"config", "get", "active", "context"}) == "active-context");
}

TEST_CASE("old forms come with a hint, today's do not", "[cli][grammar]") {
  CHECK(told({"create", "repo", "data"}).empty());
  CHECK(told({"create", "repos", "data"}) == "pfs: 'repos' is an old form of 'repo'\n");
  CHECK(told({"create-repo", "data"}) == "pfs: 'create-repo' is an old form of 'create repo'\n");
  CHECK(told({"create-repos", "data"}) == "pfs: 'create-repos' is an old form of 'create repo'\n");
}

TEST_CASE("a near miss is told what was probably meant, and nothing is done", "[cli][grammar]") {
  const auto meant = [](std::vector<std::string> arguments, const std::string& words) {
    CHECK(Language().say(arguments) == "status 2");
    CHECK_THAT(told(arguments), Catch::Contains("did you mean '" + words + "'?"));
  };
  meant({"auth", "whomai"}, "whoami");
  meant({"craete", "repo", "data"}, "create");
  meant({"create", "rep", "data"}, "repo");
  meant({"create-rpeo", "data"}, "create repo");
  meant({"crate-repo", "data"}, "create repo");
  meant({"repo", "create", "data"}, "create repo");
  meant({"create", "repo", "data", "--fulltimestamps"}, "--full-timestamps");
  meant({"create", "repo", "data", "--tiemout", "5s"}, "--timeout");
  CHECK_THAT(told({"repo"}), Catch::Contains("say one of: create repo"));
  CHECK_THAT(told({"xyzzy"}), Catch::Contains("say one of: ") && !Catch::Contains("did you mean"));
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
