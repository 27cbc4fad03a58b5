#include "trigger/internal/spec.h"

#include <algorithm>

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include "trigger/internal/spec_plan.h"

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

/// Why no pipeline is made of the spec; empty where one is.
std::string refusal_of_new(const nlohmann::json& spec) {
  const std::vector<SpecText> texts{{"", spec.dump()}};
  const auto read = read_specs(texts);
  if (read) return {};
  CHECK(read.error().code == Code::kInvalid);
  return read.error().message;
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

TEST_CASE("the fields about pods are read with their units", "[trigger]") {
  auto json = edges();
  json.update(nlohmann::json::parse(R"({
    "parallelism_spec": {"constant": "4"}, "standby": true, "autoscaling": true, "datum_tries": "5",
    "datum_timeout": "1m30s", "job_timeout": "1.5h", "output_merge": "error", "network": "host",
    "resource_limits": {"cpu": "500m", "memory": "64M", "disk": "1Gi", "gpu": {"type": "nvidia.com/gpu", "number": 1}},
    "resource_requests": {"cpu": 0.5, "memory": 64000000},
    "metadata": {"labels": {"team": "vision"}, "annotations": {"note": "x"}},
    "scheduling_spec": {"node_selector": {"disk": "ssd"}, "priority_class_name": "high"},
    "pod_spec": "{}", "pod_patch": "[]", "chunk_spec": {"number": 2, "size_bytes": "10"}, "max_queue_size": 3})"));
  json["transform"]["err_cmd"] = {"sh"};
  json["transform"]["err_stdin"] = {"true"};
  json["transform"]["image_pull_secrets"] = {"registry"};
  const auto spec = parse_spec(json.dump());
  INFO((spec ? "" : spec.error().message));
  REQUIRE(spec);
  CHECK(spec->pods.workers() == 4);
  CHECK(spec->pods.standby);
  CHECK(spec->datum_tries == 5);
  CHECK(spec->pods.datum_timeout == std::chrono::seconds(90));
  CHECK(spec->pods.job_timeout == std::chrono::minutes(90));
  CHECK(spec->pods.resource_limits.cpu_thousandths == 500);
  CHECK(spec->pods.resource_limits.memory_bytes == 64'000'000);
  CHECK(spec->pods.resource_limits.disk_bytes == 1U << 30U);
  CHECK(std::any_of(spec->notes.begin(), spec->notes.end(),
                    [](const std::string& note) { return note.starts_with("resource_limits.disk has no effect"); }));
  CHECK(spec->pods.resource_limits.gpus == 1);
  CHECK(spec->pods.resource_requests.cpu_thousandths == 500);
  CHECK(spec->pods.chunk_bytes == 10);
  CHECK(spec->output_merge == SamePath::kError);
  CHECK(spec->pods.network == PodNetwork::kHost);
  CHECK(spec->transform.err_cmd == std::vector<std::string>{"sh"});

  const auto written = nlohmann::json::parse(to_json(*spec));
  CHECK(written["resource_requests"]["memory"] == "64M");
  CHECK(written["job_timeout"] == "1h30m");
  CHECK(written["network"] == "host");
  CHECK(to_json(parse_spec(written.dump()).value()) == written.dump());
}

TEST_CASE("a coefficient is so many workers for each machine, and never none", "[trigger]") {
  auto json = edges();
  json["parallelism_spec"] = {{"coefficient", 0.4}};
  const auto spec = parse_spec(json.dump());
  REQUIRE(spec);
  CHECK(spec->pods.workers() == 1);
  CHECK(spec->pods.workers(10) == 4);
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
      {"/resource_limits", {{"gpu", {{"type", "nvidia.com/gpu"}, {"number", 4'000'000'000}}}}, Code::kInvalid, "resource_limits.gpu.number: 1000 at most"},
      {"/transform/imag", "x", Code::kInvalid, "transform.imag"},
      {"/transform/image", "", Code::kInvalid, "transform.image"},
      {"/transform/cmd", "sh", Code::kInvalid, "transform.cmd"},
      {"/transform/cmd", nlohmann::json::array(), Code::kInvalid, "transform.cmd"},
      {"/transform/cmd", {1, 2}, Code::kInvalid, "transform.cmd"},
      {"/transform/err_stdin", {"x"}, Code::kInvalid, "transform.err_stdin"},
      {"/transform/secrets", nlohmann::json::array({{{"name", "s"}}}), Code::kInvalid, "transform.secrets[0]"},
      {"/transform/secrets", nlohmann::json::array({{{"name", "s/t"}, {"mount_path", "/s"}}}), Code::kInvalid, "transform.secrets[0].name"},
      {"/transform/secrets", nlohmann::json::array({{{"name", "s"}, {"mount_path", "/pfs/s"}}}), Code::kInvalid, "transform.secrets[0].mount_path"},
      {"/transform/secrets", nlohmann::json::array({{{"name", "s"}, {"mount_path", "/s,rw"}}}), Code::kInvalid, "transform.secrets[0].mount_path"},
      {"/transform/secrets", nlohmann::json::array({{{"name", "s"}, {"env_var", "S"}}}), Code::kInvalid, "transform.secrets[0]"},
      {"/transform/secrets", nlohmann::json::array({{{"nam", "s"}}}), Code::kInvalid, "transform.secrets[0].nam"},
      {"/transform/image_pull_secrets", {"a/b"}, Code::kInvalid, "transform.image_pull_secrets"},
      {"/transform/cmd", {"sh", 1}, Code::kInvalid, "transform.cmd[1]: expected a string"},
      {"/transform/env", {{"A", "1"}, {"B\x1b", 1}}, Code::kInvalid, "transform.env.B\\x1b: expected a string"},
      {"/transform/env", {{"A", std::string("1\0002", 3)}}, Code::kInvalid, "transform.env.A: a NUL byte"},
      {"/transform/secrets", nlohmann::json::array({nlohmann::json::object(), 1}), Code::kInvalid, "transform.secrets[1]: expected an object"},
      {"/transform/accept_return_code", nlohmann::json::array({4294967296}), Code::kInvalid, "transform.accept_return_code[0]: 4294967296 is no exit status"},
      {"/transform/accept_return_code", nlohmann::json::array({1, 18446744073709551615U}), Code::kInvalid,
       "transform.accept_return_code[1]: 18446744073709551615 is no exit status"},
      {"/transform/accept_return_code", nlohmann::json::array({-1}), Code::kInvalid, "transform.accept_return_code[0]: expected a whole number"},
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
      {"/parallelism_spec", {{"constant", 4}, {"coefficient", 0.5}}, Code::kInvalid, "parallelism_spec"},
      {"/parallelism_spec", {{"constant", 4000}}, Code::kInvalid, "parallelism_spec.constant"},
      {"/parallelism_spec", {{"coefficient", -1}}, Code::kInvalid, "parallelism_spec.coefficient"},
      {"/resource_limits", {{"memory", "64Q"}}, Code::kInvalid, "resource_limits.memory"},
      {"/resource_limits", {{"cpu", -1}}, Code::kInvalid, "resource_limits.cpu"},
      {"/resource_limits", {{"cpus", 1}}, Code::kInvalid, "resource_limits.cpus"},
      {"/resource_limits", {{"gpu", {{"number", 1}}}}, Code::kInvalid, "resource_limits.gpu.type"},
      {"/resource_requests", {{"memory", true}}, Code::kInvalid, "resource_requests.memory"},
      // without effect, and not anything for that
      {"/cache_size", "lots", Code::kInvalid, "cache_size: 'lots'"},
      {"/cache_size", -1, Code::kInvalid, "cache_size: '-1'"},
      {"/sidecar_resource_limits", {{"memory", "64Q"}}, Code::kInvalid, "sidecar_resource_limits.memory: '64Q'"},
      {"/sidecar_resource_limits", {{"cpu", "many"}}, Code::kInvalid, "sidecar_resource_limits.cpu: 'many'"},
      {"/hashtree_spec", {{"constant", "18446744073709551616"}}, Code::kInvalid, "hashtree_spec.constant: expected a whole number"},
      {"/spec_commit", {{"id", 1}}, Code::kInvalid, "spec_commit.id: expected a string"},
      {"/spec_commit", {{"repo", {{"nam", "r"}}}}, Code::kInvalid, "spec_commit.repo.nam: no such field"},
      {"/datum_timeout", "soon", Code::kInvalid, "datum_timeout"},
      {"/job_timeout", 30, Code::kInvalid, "job_timeout"},
      {"/pod_patch", "{}", Code::kInvalid, "pod_patch"},
      {"/pod_spec", "{", Code::kInvalid, "pod_spec"},
      {"/metadata", {{"labels", {{"a", 1}}}}, Code::kInvalid, "metadata.labels"},
      {"/output_merge", "last", Code::kInvalid, "output_merge"},
      {"/network", "bridge", Code::kInvalid, "network"},
      {"/network", true, Code::kInvalid, "network"},
      {"/datum_tries", "three", Code::kInvalid, "datum_tries"},
      {"/datum_tries", -1, Code::kInvalid, "datum_tries"},
      {"/reprocess_spec", "never", Code::kInvalid, "reprocess_spec"},
      {"/egress", {{"URL", "s3://b"}}, Code::kUnsupported, "egress"},
      {"/s3_out", true, Code::kUnsupported, "s3_out"},
      // an empty one asks for what is not there, too
      {"/egress", nlohmann::json::object(), Code::kUnsupported, "egress: comes later; leave it out"},
      {"/service", nlohmann::json::object(), Code::kUnsupported, "service: comes later; leave it out"},
      {"/spout", nlohmann::json::object(), Code::kUnsupported, "spout: comes later; leave it out"},
      {"/tf_job", nlohmann::json::object(), Code::kUnsupported, "tf_job: comes later; leave it out"},
      {"/transform/build", nlohmann::json::object(), Code::kUnsupported, "transform.build: comes later; leave it out"},
      {"/input/pfs/trigger", nlohmann::json::object(), Code::kUnsupported, "input.pfs.trigger: not supported yet; leave it out"},
      {"/input/pfs/trigger", {{"size", "1G"}}, Code::kUnsupported, "input.pfs.trigger: not supported yet; leave it out"},
      {"/input/cron", nlohmann::json::object(), Code::kUnsupported, "input.cron: not supported yet; leave it out"},
      {"/input/git", nlohmann::json::object(), Code::kUnsupported, "input.git: not supported yet; leave it out"},
      {"/input/corn", nlohmann::json::object(), Code::kInvalid, "input.corn: no such field"},
      {"/input/corn", nlohmann::json::array(), Code::kInvalid, "input.corn: no such field"},
      {"/input", {{"cross", nlohmann::json::array()}}, Code::kInvalid, "input.cross: is empty"},
  }));
  auto json = edges();
  json[nlohmann::json::json_pointer(bad.pointer)] = bad.value;
  const auto spec = parse_spec(json.dump());
  REQUIRE_FALSE(spec);
  INFO(spec.error().message);
  CHECK(spec.error().code == bad.code);
  CHECK(spec.error().message.find(bad.field) != std::string::npos);
}

TEST_CASE("a repo in inputs within inputs is named by its place", "[trigger]") {
  auto json = edges();
  json["input"] = nlohmann::json::parse(R"({"cross": [
    {"pfs": {"repo": "images", "glob": "/*"}},
    {"union": [{"pfs": {"repo": "labels", "glob": "/*"}}, {"pfs": {"repo": "edges", "glob": "/*"}}]}]})");
  const auto own = parse_spec(json.dump());
  REQUIRE_FALSE(own);
  CHECK(own.error().message.find("input.cross[1].union[1].pfs.repo: a pipeline cannot read its own") != std::string::npos);

  json["pipeline"]["name"] = "outlines";
  const auto spec = parse_spec(json.dump());
  REQUIRE(spec);
  CHECK(repo_field(spec->input, *RepoName::parse("images")) == "input.cross[0].pfs.repo");
  CHECK(repo_field(spec->input, *RepoName::parse("labels")) == "input.cross[1].union[0].pfs.repo");
  CHECK(repo_field(spec->input, *RepoName::parse("none")).empty());
}

TEST_CASE("a known field at its default value, or without effect, is accepted", "[trigger]") {
  auto json = edges();
  json["standby"] = false;
  json["egress"] = nullptr;
  json["s3_out"] = false;
  json["chunk_spec"] = nlohmann::json::object();
  json["input"]["pfs"]["lazy"] = true;
  json["input"]["pfs"]["empty_files"] = false;
  json["input"]["pfs"]["s3"] = false;
  json["input"]["pfs"]["trigger"] = nullptr;
  json["input"]["cron"] = nullptr;
  json["input"]["cross"] = nlohmann::json::array();
  json["cache_size"] = "64M";
  json["parallelism_spec"] = {{"constant", 1}};
  CHECK(parse_spec(json.dump()));
}

TEST_CASE("a field of an input that has no effect is told, by its place", "[trigger]") {
  auto json = edges();
  json["input"]["pfs"]["lazy"] = true;
  CHECK(parse_spec(json.dump())->notes ==
        std::vector<std::string>{"input.pfs.lazy has no effect: files are always fetched when they are read"});
  json["input"] = {{"cross", {{{"pfs", {{"repo", "a"}, {"glob", "/"}, {"commit", "master^"}}}}}}};
  const auto spec = parse_spec(json.dump());
  REQUIRE(spec);
  CHECK(spec->notes == std::vector<std::string>{"input.cross[0].pfs.commit has no effect: is filled in for each job"});
}

TEST_CASE("an image whose name may come to mean another is told of, one with a version is not", "[trigger]") {
  for (const char* image : {"python", "localhost/pfs-edges", "registry:5000/team/python"}) {
    INFO(image);
    const auto note = image_note(image);
    REQUIRE(note);
    CHECK(note->find("transform.image: '" + std::string(image) + "' has no tag") == 0);
  }
  CHECK(image_note("registry:5000/python:latest").value_or("").find("has the tag latest") != std::string::npos);
  const std::string digest = "@sha256:" + std::string(64, 'a');
  const std::vector<std::string> fixed{"python:3.12", "registry:5000/python:3.12", "python" + digest, "python:latest" + digest,
                                       digest.substr(1), "3f57d9401f8d"};
  for (const std::string& image : fixed) {
    INFO(image);
    CHECK_FALSE(image_note(image));
  }
}

TEST_CASE("a pipeline is made of what can be an image's name, and of nothing else", "[trigger]") {
  const std::string digest = "sha256:" + std::string(64, 'a');
  const auto refusal = [](const std::string& image) {
    auto json = edges();
    json["transform"]["image"] = image;
    return refusal_of_new(json);
  };
  const std::vector<std::string> good{"python", "python:3.12", "localhost/pfs-edges:1", "localhost:5000/edges", "Registry.example.org:5000/a/b_c/d__e-f---g.h:V1_2.3-x",
                                      "127.0.0.1/x", "[::1]:5000/x", "python@" + digest, "team/python:latest@" + digest, digest, digest.substr(7),
                                      "3f57d9401f8d", std::string(255, 'a'), "a:" + std::string(128, 'T')};
  for (const std::string& image : good) {
    INFO(image);
    CHECK(refusal(image).empty());
  }
  const std::vector<std::pair<std::string, std::string>> bad{
      {"my image", "between '/'"}, {" python", "between '/'"}, {"python\n", "between '/'"}, {"a//b", "between '/'"}, {"a/", "between '/'"},
      {"/a", "between '/'"}, {"a..b", "between '/'"}, {"a___b", "between '/'"}, {"a-", "between '/'"}, {"ü", "between '/'"}, {"@" + digest, "between '/'"},
      {"Edges", "'Edges' has capital letters; write 'edges'"}, {"localhost/Team/edges:1", "'Team/edges' has capital letters"}, {"Team/edges", "capital letters"},
      {"edges:", "a tag is"}, {"edges:.1", "a tag is"}, {"edges:a b", "a tag is"}, {"a:" + std::string(129, 't'), "a tag is"},
      {"edges@sha256:12", "what follows '@'"}, {"edges@", "what follows '@'"}, {"edges@sha256:" + std::string(64, 'A'), "what follows '@'"},
      {"localhost:/x", "'localhost:' is no registry"}, {"-a.b/x", "transform.image"}, {"a_b.c/x", "'a_b.c' is no registry"}, {"a.:1/x", "no registry"},
      {"[::1/x", "no registry"}, {"docker://python", "no registry"}, {std::string(256, 'a'), "longer than 255"}};
  for (const auto& [image, why] : bad) {
    const std::string said = refusal(image);
    INFO(image << ": " << said);
    CHECK(said.starts_with("pipeline spec: transform.image: "));
    CHECK(said.find(why) != std::string::npos);
  }
}

TEST_CASE("an input is not called as a variable that commands need", "[trigger]") {
  for (const char* name : {"PATH", "HOME", "LD_PRELOAD", "LD_LIBRARY_PATH", "LD_", "PACH_JOB_ID", "PPS_PIPELINE_NAME"}) {
    auto json = edges();
    json["input"]["pfs"]["name"] = name;
    CHECK(refusal_of_new(json).find(std::string("input.pfs.name: '") + name + "'") != std::string::npos);
    CHECK(parse_spec(json.dump()));  // of a pipeline that is there
  }
  auto json = edges();
  json["input"] = nlohmann::json::parse(R"({"cross": [{"pfs": {"repo": "images", "glob": "/*"}}, {"pfs": {"repo": "HOME", "glob": "/*"}}]})");
  CHECK(refusal_of_new(json).find("input.cross[1].pfs.name: 'HOME'") != std::string::npos);
  json["input"]["cross"][1]["pfs"]["name"] = "home";
  CHECK(refusal_of_new(json).empty());
  json["input"]["cross"][1]["pfs"]["name"] = "LD";
  CHECK(refusal_of_new(json).empty());
}

TEST_CASE("labels and annotations have names that an engine keeps", "[trigger]") {
  struct Case {
    const char* spec;
    const char* said;
  };
  const auto bad = GENERATE(values<Case>({
      {R"({"metadata": {"labels": {"": "x"}}})", "metadata.labels: a name is empty"},
      {R"({"metadata": {"annotations": {"": ""}}})", "metadata.annotations: a name is empty"},
      {R"({"metadata": {"labels": {"a=b": "c"}}})", "metadata.labels: 'a=b'"},
      {R"({"metadata": {"annotations": {"a": "b\u0000c"}}})", "metadata.annotations: 'a': a NUL byte"},
      {R"({"scheduling_spec": {"node_selector": {"": "x"}}})", "scheduling_spec.node_selector: a name is empty"},
  }));
  auto json = edges();
  json.merge_patch(nlohmann::json::parse(bad.spec));
  const std::string said = refusal_of_new(json);
  INFO(said);
  CHECK(said.find(bad.said) != std::string::npos);
  CHECK(parse_spec(json.dump()));  // of a pipeline that is there
}

TEST_CASE("exit codes may be written as protobuf writes numbers", "[trigger]") {
  auto json = edges();
  json["transform"]["accept_return_code"] = {"3", 255};
  const auto spec = parse_spec(json.dump());
  REQUIRE(spec);
  CHECK(spec->transform.accept_return_code == std::vector<int>{3, 255});
}

TEST_CASE("a number that no type holds is refused with its place", "[trigger]") {
  const auto said = [](const char* text) {
    const auto spec = parse_spec(text);
    REQUIRE_FALSE(spec);
    CHECK(spec.error().code == Code::kInvalid);
    return spec.error().message;
  };
  CHECK(said(R"({"pipeline": {"name": "a"}, "datum_tries": 1e400})").starts_with("pipeline spec: datum_tries: "));
  CHECK(said(R"({"transform": {"cmd": ["sh"], "accept_return_code": [1, [], 1e400]}})")
            .starts_with("pipeline spec: transform.accept_return_code[2]: "));
  CHECK(said("1e400").starts_with("pipeline spec: "));
}

TEST_CASE("what is not JSON is refused", "[trigger]") {
  for (const char* text : {"", "{", "[]", "7", "{\"pipeline\": 1}"}) {
    const auto spec = parse_spec(text);
    REQUIRE_FALSE(spec);
    CHECK(spec.error().code == Code::kInvalid);
  }
}

TEST_CASE("a member that is there twice is refused, for the last would win silently", "[trigger]") {
  const auto spec = parse_spec(R"({"pipeline": {"name": "a", "name": "b"}})");
  REQUIRE_FALSE(spec);
  CHECK(spec.error().message.find("pipeline spec: pipeline.name: is there twice") != std::string::npos);
  const auto deep = parse_spec(R"({"transform": {"secrets": [{"name": "a"}, {"key": "k", "name": "b", "key": "l"}]}, "salt": "s"})");
  REQUIRE_FALSE(deep);
  CHECK(deep.error().message.find("pipeline spec: transform.secrets[1].key: is there twice") != std::string::npos);
}
