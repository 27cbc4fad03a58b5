#include "cli/yaml.h"

#include <catch2/catch.hpp>

namespace pfs::cli {
namespace {

TEST_CASE("an object is YAML in blocks, in which every string stays a string", "[cli][yaml]") {
  const Json object = {
      {"name", "data"},
      {"empty", ""},
      {"words", {"no", "1.5", "a: b", "- x", "two\nlines", "repo@master"}},
      {"size", 12},
      {"open", false},
      {"parent", nullptr},
      {"none", Json::array()},
      {"nothing", Json::object()},
      {"jobs", {{{"id", "a1"}, {"input", {{"repo", "r"}}}}, {{"id", "7"}}}},
      {"time", "2026-01-31T09:30:00Z"}};
  CHECK(yaml_of(object) ==
        "name: data\n"
        "empty: \"\"\n"
        "words:\n"
        "  - \"no\"\n"
        "  - \"1.5\"\n"
        "  - \"a: b\"\n"
        "  - \"- x\"\n"
        "  - \"two\\nlines\"\n"
        "  - repo@master\n"
        "size: 12\n"
        "open: false\n"
        "parent: null\n"
        "none: []\n"
        "nothing: {}\n"
        "jobs:\n"
        "  - id: a1\n"
        "    input:\n"
        "      repo: r\n"
        "  - id: \"7\"\n"
        "time: \"2026-01-31T09:30:00Z\"\n");
}

TEST_CASE("a list of lists is YAML, too", "[cli][yaml]") {
  CHECK(yaml_of(Json::array({Json::array({1, 2}), Json::array()})) == "- - 1\n  - 2\n- []\n");
}

}  // namespace
}  // namespace pfs::cli
