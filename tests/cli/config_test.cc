#include "cli/config.h"

#include <sys/stat.h>

#include <fstream>
#include <map>
#include <sstream>

#include <catch2/catch.hpp>

#include "support/must.h"
#include "support/temporary_directory.h"

namespace pfs::cli {
namespace {

using test::must;
using test::TemporaryDirectory;

Surroundings with(std::map<std::string, std::string> variables) {
  Surroundings made;
  made.variable = [variables](const std::string& name) -> std::optional<std::string> {
    const auto found = variables.find(name);
    return found == variables.end() ? std::nullopt : std::optional(found->second);
  };
  made.exists = [](const std::string&) { return false; };
  return made;
}

void write(const std::string& path, const std::string& text) { std::ofstream(path) << text; }

std::string text_of(const std::string& path) {
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

TEST_CASE("the configuration is pachctl's file, or the one that is named", "[cli][config]") {
  CHECK(Config::path(with({{"HOME", "/home/u"}})) == "/home/u/.pachyderm/config.json");
  CHECK(Config::path(with({{"HOME", "/home/u"}, {"PACH_CONFIG", "/p"}})) == "/p");
  CHECK(Config::path(with({{"PFS_CONFIG", "/f"}, {"PACH_CONFIG", "/p"}})) == "/f");
  CHECK_FALSE(Config::path(with({})));
}

TEST_CASE("a configuration that is not there is empty", "[cli][config]") {
  const TemporaryDirectory directory;
  const auto config = must(Config::load(directory / "none"));
  CHECK(config.contexts().empty());
  CHECK(config.active_context().empty());
  CHECK(config.active_transaction().empty());
}

TEST_CASE("what pachctl wrote is read, and what is not known here stays", "[cli][config]") {
  const TemporaryDirectory directory;
  const auto path = directory / "config.json";
  write(path, R"({"user_id":"1","v2":{"active_context":"a","contexts":{"a":{"source":2,
      "pachd_address":"grpc://h:30650","active_transaction":"t-1"},"b":{}},"metrics":true,"odd":[1]}})");
  const auto config = must(Config::load(path));
  CHECK(config.contexts() == std::vector<std::string>{"a", "b"});
  CHECK(config.field("a", "pachd_address") == "grpc://h:30650");
  CHECK(config.active_transaction() == "t-1");
  CHECK(config.metrics());

  must(Config::edit(path, [](Config& edited) -> Result<void> {
    edited.set_active_transaction("");
    return edited.set_active_context("b");
  }));
  const auto text = text_of(path);
  CHECK(text.find("\"odd\"") != text.npos);
  CHECK(text.find("\"user_id\"") != text.npos);
  CHECK(text.find("\"source\": 2") != text.npos);
  CHECK(text.find("t-1") == text.npos);
  CHECK(must(Config::load(path)).active_context() == "b");
}

TEST_CASE("a configuration is written for its owner alone, and its directory is made",
          "[cli][config]") {
  const TemporaryDirectory directory;
  const auto path = directory / "new/config.json";
  must(Config::edit(path, [](Config& config) -> Result<void> {
    config.set_active_transaction("t");
    return {};
  }));
  struct stat found {};
  REQUIRE(stat(path.c_str(), &found) == 0);
  CHECK((found.st_mode & 0777U) == 0600U);
  const auto config = must(Config::load(path));
  CHECK(config.active_context() == "default");
  CHECK(config.active_transaction() == "t");
}

TEST_CASE("an edit that fails changes nothing", "[cli][config]") {
  const TemporaryDirectory directory;
  const auto path = directory / "config.json";
  write(path, "{}");
  CHECK_FALSE(Config::edit(path, [](Config& config) { return config.set_active_context("none"); }));
  CHECK(text_of(path) == "{}");
}

TEST_CASE("the active context cannot be removed", "[cli][config]") {
  const TemporaryDirectory directory;
  auto config = must(Config::load(directory / "none"));
  config.set_field("a", "pachd_address", "x");
  config.set_field("b", "pachd_address", "y");
  must(config.set_active_context("a"));
  CHECK(config.remove_context("a").error().code == Code::kBusy);
  must(config.remove_context("b"));
  CHECK(config.remove_context("b").error().code == Code::kNotFound);
}

TEST_CASE("a damaged configuration is refused by name", "[cli][config]") {
  const TemporaryDirectory directory;
  const auto path = directory / "config.json";
  const auto* text = GENERATE("", "{", "[]", R"({"v2":1})", R"({"v2":{"contexts":[]}})",
                              R"({"v2":{"contexts":{"a":1}}})", R"({"v2":{"active_context":3}})");
  write(path, text);
  const auto config = Config::load(path);
  REQUIRE_FALSE(config);
  CHECK(config.error().code == Code::kInvalid);
  CHECK(config.error().message.find(path) != std::string::npos);
}

}  // namespace
}  // namespace pfs::cli
