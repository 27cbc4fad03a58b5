#include "cli/yaml_reader.h"

#include <catch2/catch.hpp>

#include "cli/yaml.h"

namespace pfs::cli {
namespace {

Json one(const std::string& text) {
  const auto documents = read_yaml(text);
  INFO((documents ? "" : documents.error().message));
  REQUIRE(documents);
  REQUIRE(documents->size() == 1);
  return documents->front();
}

std::string refusal(const std::string& text) {
  const auto documents = read_yaml(text);
  REQUIRE_FALSE(documents);
  CHECK(documents.error().code == Code::kInvalid);
  return documents.error().message;
}

TEST_CASE("a YAML document is the JSON that it stands for", "[cli][yaml]") {
  CHECK(one("pipeline:\n  name: edges\ntransform:\n  cmd: [python3, /edges.py]\n  stdin:\n  - |\n    a\n    b\n") ==
        Json::parse(R"({"pipeline": {"name": "edges"}, "transform": {"cmd": ["python3", "/edges.py"], "stdin": ["a\nb\n"]}})"));
  CHECK(one("[1, -2, +3, 0x10, 0o17, 1.5, 1e3, true, False, null, ~, no, on, 1_000, '2', \"3\", 1.2.3, 12:30, !!str 4, -]") ==
        Json::parse(R"([1, -2, 3, 16, 15, 1.5, 1000.0, true, false, null, null, "no", "on", "1_000", "2", "3", "1.2.3", "12:30", "4", "-"])"));
}

TEST_CASE("anchors stand for what they name", "[cli][yaml]") {
  CHECK(one("a: &x {k: [1]}\nb: *x\n") == Json::parse(R"({"a": {"k": [1]}, "b": {"k": [1]}})"));
  CHECK(refusal("a: *x\n") == "line 1, column 4: no anchor 'x' before this");
}

TEST_CASE("documents are apart, and empty ones are none", "[cli][yaml]") {
  const auto documents = read_yaml("# nothing\n---\na: 1\n---\n---\nb: 2\n...\n");
  REQUIRE(documents);
  CHECK(*documents == std::vector<Json>{Json{{"a", 1}}, Json{{"b", 2}}});
}

TEST_CASE("what is written as YAML is read as it was", "[cli][yaml]") {
  const Json object = {{"words", {"no", "1.5", "a: b", "- x", "two\nlines", "", "~", "ü"}}, {"size", 12}, {"none", Json::array()},
                       {"deep", {{{"id", "a1"}, {"on", false}, {"x", nullptr}}}}};
  CHECK(one(yaml_of(object)) == object);
}

TEST_CASE("what YAML knows no character for is read as it was, too", "[cli][yaml]") {
  std::string odd;
  for (char c = 1; c < 0x20; ++c) odd += c;
  odd += "\x7f|\u0080|\u0085|\u009b|\u009f|\u00a0|\u2028|\u2029|\ufeff|\ufffe|\uffff|\ud7ff|\U0001f600";
  odd += '\0';
  const Json object = {{"description", odd}, {odd, {odd}}};
  const auto text = yaml_of(object);
  CHECK(one(text) == object);
  CHECK(text.find('\x7f') == std::string::npos);
  CHECK(text.find("\u0085") == std::string::npos);
}

TEST_CASE("bad YAML is refused with its place", "[cli][yaml]") {
  CHECK(refusal("a: 1\na: 2\n") == "line 2, column 1: 'a' is there twice");
  CHECK(refusal("a: [1\nb: 2\n").find("line 2") == 0);
  CHECK(refusal("\ta: 1\n").find("line 1") == 0);
  CHECK(refusal("? [a]\n: 1\n").find("expected a name") != std::string::npos);
  CHECK(refusal("a: !mine 1\n").find("tag !mine") != std::string::npos);
  CHECK(refusal("a: \xff\n").find("byte") == 0);
  CHECK(refusal("a: 1\n---\nb: 2\n---\nc: [\n").find("document 3: line ") == 0);
}

TEST_CASE("aliases of aliases end somewhere", "[cli][yaml]") {
  std::string bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n";
  for (int i = 1; i < 12; ++i) {
    const auto last = "*a" + std::to_string(i - 1);
    bomb += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [" + last;
    for (int k = 0; k < 9; ++k) bomb += ", " + last;
    bomb += "]\n";
  }
  CHECK(refusal(bomb).find("more than a million values") != std::string::npos);
  CHECK(refusal(std::string(5000, '[')).find("nested too deep") != std::string::npos);
}

}  // namespace
}  // namespace pfs::cli
