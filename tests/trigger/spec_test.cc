#include "trigger/internal/spec.h"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

using namespace pfs;
using namespace pfs::trigger;

namespace {

nlohmann::json edges() {
  return nlohmann::json::parse(R"({
    "pipeline": {"name": "edges"},
    "transform": {"image": "localhost/pfs-edges", "cmd": ["/edges"]},
    "input": {"pfs": {"repo": "images", "glob": "/*"}}
  })");
}

}  // namespace

TEST_CASE("a short spec gets the defaults of the 1.13 specification", "[trigger]") {
  const auto spec = parse_spec(edges().dump());
  REQUIRE(spec);
  CHECK(spec->name.str() == "edges");
  CHECK(spec->input.pfs.name.str() == "images");
  CHECK(spec->input.pfs.ref().str() == "images@master");
  CHECK(spec->output().str() == "edges@master");
  CHECK(spec->datum_tries == 3);
  CHECK_FALSE(spec->reprocess_every_job);
  CHECK(shorthand(spec->input) == "images:/*");
}

TEST_CASE("a spec written out and read again is the same", "[trigger]") {
  auto json = edges();
  json["description"] = "finds edges";
  json["output_branch"] = "dev";
  json["salt"] = "s";
  json["transform"]["stdin"] = {"one", "two"};
  json["transform"]["env"] = {{"A", "1"}};
  json["transform"]["user"] = "nobody";
  json["transform"]["working_dir"] = "/tmp";
  json["transform"]["accept_return_code"] = {3};
  const auto spec = parse_spec(json.dump());
  REQUIRE(spec);
  const std::string text = to_json(*spec);
  const auto again = parse_spec(text);
  REQUIRE(again);
  CHECK(to_json(*again) == text);
  CHECK(again->transform.stdin_lines == std::vector<std::string>{"one", "two"});
  CHECK(again->salt == "s");
}

TEST_CASE("a bad spec is refused with the field's name", "[trigger]") {
  struct Case {
    const char* pointer;
    nlohmann::json value;
    Code code;
    const char* field;
  };
  const auto bad = GENERATE(values<Case>({
      {"/transfrom", nlohmann::json::object(), Code::kInvalid, "transfrom"},
      {"/transform/imag", "x", Code::kInvalid, "transform.imag"},
      {"/transform/image", "", Code::kInvalid, "transform.image"},
      {"/transform/cmd", "sh", Code::kInvalid, "transform.cmd"},
      {"/transform/cmd", nlohmann::json::array(), Code::kInvalid, "transform.cmd"},
      {"/transform/cmd", {1, 2}, Code::kInvalid, "transform.cmd"},
      {"/transform/err_cmd", {"sh"}, Code::kUnsupported, "transform.err_cmd"},
      {"/transform/working_dir", "tmp", Code::kInvalid, "transform.working_dir"},
      {"/pipeline", nullptr, Code::kInvalid, "pipeline.name"},
      {"/input", nullptr, Code::kInvalid, "input.pfs"},
      {"/input/pfs/repo", "", Code::kInvalid, "input.pfs.repo"},
      {"/pipeline/name", "a b", Code::kInvalid, "pipeline.name"},
      {"/pipeline/name", "images", Code::kInvalid, "input.pfs.repo"},
      {"/input/pfs/glob", "", Code::kInvalid, "input.pfs.glob"},
      {"/input/pfs/glob", "/[a", Code::kInvalid, "input.pfs.glob"},
      {"/input/pfs/name", "out", Code::kInvalid, "input.pfs.name"},
      {"/input/cross", nlohmann::json::array({nlohmann::json::object()}), Code::kInvalid, "cross and pfs at once"},
      {"/input/pfs/s3", true, Code::kUnsupported, "input.pfs.s3"},
      {"/input/pfs/join_on", "$1", Code::kInvalid, "input.pfs.join_on"},
      {"/input/pfs/lazy", "yes", Code::kInvalid, "input.pfs.lazy"},
      {"/input/pfs/blog", "/", Code::kInvalid, "input.pfs.blog"},
      {"/parallelism_spec", {{"constant", 4}}, Code::kUnsupported, "parallelism_spec.constant"},
      {"/datum_tries", -1, Code::kInvalid, "datum_tries"},
      {"/reprocess_spec", "never", Code::kInvalid, "reprocess_spec"},
      {"/egress", {{"URL", "s3://b"}}, Code::kUnsupported, "egress"},
  }));
  auto json = edges();
  json[nlohmann::json::json_pointer(bad.pointer)] = bad.value;
  const auto spec = parse_spec(json.dump());
  REQUIRE_FALSE(spec);
  INFO(spec.error().message);
  CHECK(spec.error().code == bad.code);
  CHECK(spec.error().message.find(bad.field) != std::string::npos);
}

TEST_CASE("a known field at its default value, or without effect, is accepted", "[trigger]") {
  auto json = edges();
  json["standby"] = false;
  json["egress"] = nullptr;
  json["input"]["pfs"]["lazy"] = true;
  json["input"]["pfs"]["empty_files"] = false;
  json["cache_size"] = "64M";
  json["parallelism_spec"] = {{"constant", 1}};
  CHECK(parse_spec(json.dump()));
}

TEST_CASE("what is not JSON is refused", "[trigger]") {
  for (const char* text : {"", "{", "[]", "7", "{\"pipeline\": 1}"}) {
    const auto spec = parse_spec(text);
    REQUIRE_FALSE(spec);
    CHECK(spec.error().code == Code::kInvalid);
  }
}
