#include "cli/grammar.h"

#include <unistd.h>

#include <array>
#include <cstdio>
#include <utility>

#include <catch2/catch.hpp>
#include <fmt/format.h>

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

/// A language of five sentences: `create repo NAME`, `auth whoami`, `config get active-context`,
/// `start commit COMMIT`, and `put file FILE... [-r] [-f SOURCE]`, where -r needs -f.
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
    const auto addresses = [this]() -> Result<void> {
      done_ = fmt::format("{}", fmt::join(addresses_, " "));
      return {};
    };
    auto& starts = grammar_.command("start", "commit", "Open one", addresses);
    starts.add_option("commit", addresses_, "Where");
    auto& puts = grammar_.command("put", "file", "Put some", addresses, [this]() -> Result<void> {
      if (flag_ && source_.empty()) return Error{Code::kInvalid, "-r: of what? add -f DIR"};
      return {};
    });
    puts.add_option("file", addresses_, "Where");
    puts.add_flag("-r", flag_, "A flag");
    puts.add_option("-f", source_, "What");
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
  std::vector<std::string> addresses_;
  std::string source_;
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

TEST_CASE("an address in several words is one, whatever is between them", "[cli][grammar]") {
  CHECK(Language().say({"start-commit", "data", "master"}) == "data@master");
  CHECK(Language().say({"start", "commit", "data", "master^2"}) == "data@master^2");
  CHECK(Language().say({"put-file", "data", "master"}) == "data@master");
  CHECK(Language().say({"put-file", "data", "master", "/a/path"}) == "data@master:/a/path");
  CHECK(Language().say({"put-file", "data", "master", "me@home"}) == "data@master:me@home");
  CHECK(Language().say({"put-file", "data", "-f", "x", "master", "--timeout", "5s", "/p"}) ==
        "data@master:/p");
  CHECK(Language().say({"put-file", "-rf", "x", "data", "master", "/p"}) == "data@master:/p");
  CHECK(Language().say({"put-file", "-fx", "data", "master", "/p"}) == "data@master:/p");
  CHECK(Language().say({"put-file", "a", "b", "/c", "d", "e", "/f"}) == "a@b:/c d@e:/f");
  // `put file -f part-* data@master:/in`: the names are not taken for addresses
  CHECK(Language().say({"put", "file", "-f", "part-0", "part-1", "part-2", "data@master:/in"}) ==
        "part-1 part-2 data@master:/in");
  CHECK(told({"start-commit", "data", "master"}) ==
        "pfs: 'start-commit' is an old form of 'start commit'\n"
        "pfs: 'data master' is an old form of 'data@master'\n");
}

TEST_CASE("an address of a commit may have a slash in it", "[cli][grammar]") {
  const std::string id(32, 'a');
  CHECK(Language().say({"start-commit", "data/master"}) == "data@master");
  CHECK(Language().say({"start", "commit", "data/" + id, "--timeout", "5s", "other/master^2"}) ==
        "data@" + id + " other@master^2");
  CHECK(Language().say({"start", "commit", "data/master", "dev"}) == "data@master dev");
  CHECK(told({"start", "commit", "data/master"}) ==
        "pfs: 'data/master' is an old form of 'data@master'\n");
  for (const auto* other : {"data/", "/master", "data/no/good", "data@master/x", "data/x@master"}) {
    CAPTURE(other);
    CHECK(Language().say({"start", "commit", other}) == other);
    CHECK(told({"start", "commit", other}).empty());
  }
  CHECK(Language().say({"put", "file", "data/master"}) == "data/master");
}

TEST_CASE("an address in one word stays as it is, and so does what cannot begin one",
          "[cli][grammar]") {
  CHECK(told({"put", "file", "data@master:/a", "data@master:/b"}).empty());
  CHECK(told({"put-file", "data@master:/a"}) == "pfs: 'put-file' is an old form of 'put file'\n");
  CHECK(Language().say({"start-commit", "data"}) == "data");
  CHECK(Language().say({"put", "file", "data@master:/a", "/b", "/c"}) == "data@master:/a /b /c");
  CHECK(Language().say({"put", "file", "data", "other@master:/b"}) == "data other@master:/b");
}

TEST_CASE("arguments that make no sense together are an error of usage, unless help is asked for",
          "[cli][grammar]") {
  CHECK(Language().say({"put", "file", "data@master", "-r"}) == "status 2");
  CHECK(told({"put", "file", "data@master", "-r"}) ==
        "pfs put file: -r: of what? add -f DIR\nSee 'pfs put file --help'\n");
  CHECK_THAT(told({"put", "file", "-r", "--odd"}), Catch::Contains("'--odd' is not known"));
  CHECK(Language().say({"put", "file", "-r", "--help"}) == "status 0");
  CHECK(Language().say({"put", "file", "data@master", "-rf", "x"}) == "data@master");
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

TEST_CASE("a number is decimal, and from 0 on", "[cli][grammar]") {
  CHECK(refusal<NumberArgument>("0").empty());
  CHECK(refusal<NumberArgument>("18446744073709551615").empty());
  CHECK(NumberArgument::parse("010")->value == 10);
  for (const auto* text : {"-1", "", " 1", "+1", "1.5", "0x10", "1k", "18446744073709551616"}) {
    CAPTURE(text);
    CHECK_THAT(refusal<NumberArgument>(text), Catch::Contains("is no number from 0 on"));
  }
}

TEST_CASE("help is no error", "[cli][grammar]") { CHECK(Language().say({"--help"}) == "status 0"); }

}  // namespace
}  // namespace pfs::cli
