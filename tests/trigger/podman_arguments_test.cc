#include "trigger/internal/podman_arguments.h"

#include <algorithm>

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include "trigger/internal/worker_pod.h"

using namespace pfs;
using namespace pfs::trigger;

namespace {

PipelineSpec sample_spec() {
  return *parse_spec(R"({
    "pipeline": {"name": "Edge_Finder"},
    "transform": {"image": "localhost/x", "cmd": ["/edges"], "env": {"A": "b c=d"}},
    "input": {"pfs": {"repo": "images", "glob": "/*"}}
  })");
}

bool has_pair(const std::vector<std::string>& all, const std::string& first, const std::string& second) {
  for (std::size_t i = 0; i + 1 < all.size(); ++i) {
    if (all[i] == first && all[i + 1] == second) return true;
  }
  return false;
}

}  // namespace

TEST_CASE("a worker's pod becomes podman's arguments", "[trigger]") {
  const WorkerPlace place{"store", "/usr/bin/pfs-worker", "/pfs/.pfs/views/v", "/s/jobs/links/1", "0123", {{"/s/1/0", "/etc/a b"}}};
  const auto arguments = podman_run_arguments(worker_pod(sample_spec(), PodUser{1000, 100}, place));
  REQUIRE(arguments);
  CHECK(has_pair(*arguments, "--name", "pfs-edge-finder-0123"));
  CHECK(has_pair(*arguments, "--label", "pfs.store=store"));
  CHECK(has_pair(*arguments, "--label", "pfs.pipeline=Edge_Finder"));
  CHECK(has_pair(*arguments, "--user", "1000:100"));
  CHECK(has_pair(*arguments, "--env", "A=b c=d"));
  CHECK(has_pair(*arguments, "--mount", "type=bind,src=/pfs/.pfs/views/v,dst=/pfs,bind-propagation=rprivate"));
  CHECK(has_pair(*arguments, "--mount",
                 "type=bind,src=/usr/bin/pfs-worker,dst=/.pfs-worker/worker,bind-propagation=rprivate,ro"));
  CHECK(has_pair(*arguments, "--mount", "type=bind,src=/s/1/0,dst=/etc/a b,bind-propagation=rprivate,ro"));
  CHECK(has_pair(*arguments, "--entrypoint", "[\"/.pfs-worker/worker\"]"));
  CHECK(has_pair(*arguments, "localhost/x", "/.pfs-worker/link/socket"));
}

TEST_CASE("a field of a pod that podman's runner does not know is refused by name", "[trigger]") {
  const WorkerPlace place{"store", "/w", "/v", "/l", "0123"};
  PodRequest request = worker_pod(sample_spec(), PodUser{}, place);
  auto spec = nlohmann::json::parse(request.spec_json);
  spec["hostNetwork"] = true;
  request.spec_json = spec.dump();
  const auto arguments = podman_run_arguments(request);
  REQUIRE_FALSE(arguments);
  CHECK(arguments.error().code == Code::kUnsupported);
  CHECK(arguments.error().message.find("hostNetwork") != std::string::npos);
}

TEST_CASE("a path that podman would split is refused", "[trigger]") {
  const WorkerPlace place{"store", "/w", "/v,dst=/etc", "/l", "0123"};
  CHECK(podman_run_arguments(worker_pod(sample_spec(), PodUser{}, place)).error().code == Code::kInvalid);
}

TEST_CASE("a path that is not UTF-8 is refused", "[trigger]") {
  const WorkerPlace view{"store", "/w", "/v\xe9w", "/l", "0123"};
  const WorkerPlace link{"store", "/w", "/v", "/st\xe9re/links/1", "0123"};
  const WorkerPlace secret{"store", "/w", "/v", "/l", "0123", {{"/st\xe9re/secrets/1", "/etc/access"}}};
  for (const WorkerPlace& place : {view, link, secret}) {
    const auto arguments = podman_run_arguments(worker_pod(sample_spec(), PodUser{}, place));
    REQUIRE_FALSE(arguments);
    CHECK(arguments.error().code == Code::kInvalid);
    CHECK(arguments.error().message.find("not UTF-8") != std::string::npos);
  }
  const WorkerPlace accents{"store", "/w", "/vi\u00e9w", "/st\u00f8re/links/1", "0123"};
  CHECK(podman_run_arguments(worker_pod(sample_spec(), PodUser{}, accents)));
}

TEST_CASE("limits of a pod become podman's arguments", "[trigger]") {
  const WorkerPlace place{"store", "/w", "/v", "/l", "0123"};
  const PipelineSpec spec = *parse_spec(R"({
    "pipeline": {"name": "p"}, "transform": {"image": "i", "cmd": ["c"]}, "input": {"pfs": {"repo": "r", "glob": "/*"}},
    "resource_limits": {"cpu": 1.5, "memory": "64Mi", "gpu": {"type": "nvidia.com/gpu", "number": 2}}
  })");
  const auto arguments = podman_run_arguments(worker_pod(spec, PodUser{}, place));
  REQUIRE(arguments);
  CHECK(has_pair(*arguments, "--cpus", "1.500"));
  CHECK(has_pair(*arguments, "--memory", "67108864b"));
  CHECK(has_pair(*arguments, "--device", "nvidia.com/gpu=0"));
  CHECK(has_pair(*arguments, "--device", "nvidia.com/gpu=1"));
  const auto docker = podman_run_arguments(worker_pod(spec, PodUser{}, place), ContainerEngine::Kind::kDocker);
  REQUIRE(docker);
  CHECK(has_pair(*docker, "--gpus", "2"));
}

TEST_CASE("a container has no network unless its spec asks for one", "[trigger]") {
  const WorkerPlace place{"store", "/w", "/v", "/l", "0123"};
  const auto network = [&](const std::string& field) {
    const auto arguments = podman_run_arguments(worker_pod(*parse_spec(R"({
      "pipeline": {"name": "p"}, "transform": {"image": "i", "cmd": ["c"]}, )" + field + R"(
      "input": {"pfs": {"repo": "r", "glob": "/*"}}})"), PodUser{}, place));
    REQUIRE(arguments);
    const auto word = std::find(arguments->begin(), arguments->end(), "--network");
    return word == arguments->end() ? "the engine's" : *(word + 1);
  };
  CHECK(network("") == "none");
  CHECK(network(R"("network": "none",)") == "none");
  CHECK(network(R"("network": "host",)") == "host");
  CHECK(network(R"("network": "default",)") == "the engine's");
}

TEST_CASE("a container has the labels and annotations of its pipeline, and pfs finds it by its own", "[trigger]") {
  const WorkerPlace place{"store", "/w", "/v", "/l", "0123"};
  const PipelineSpec spec = *parse_spec(R"({
    "pipeline": {"name": "p"}, "transform": {"image": "i", "cmd": ["c"]}, "input": {"pfs": {"repo": "r", "glob": "/*"}},
    "metadata": {"labels": {"team": "vision", "pfs.store": "other", "pfs.pipeline": "q"}, "annotations": {"note": "a = b", "more": "one, \"two\""}}
  })");
  const auto request = worker_pod(spec, PodUser{}, place);
  const auto arguments = podman_run_arguments(request);
  REQUIRE(arguments);
  CHECK(has_pair(*arguments, "--label", "team=vision"));
  CHECK(has_pair(*arguments, "--label", "pfs.store=store"));
  CHECK(has_pair(*arguments, "--label", "pfs.pipeline=p"));
  CHECK_FALSE(has_pair(*arguments, "--label", "pfs.store=other"));
  CHECK(has_pair(*arguments, "--annotation", "note=a = b"));
  CHECK(has_pair(*arguments, "--annotation", R"("more=one, ""two""")"));  // podman splits it at commas
  const auto docker = podman_run_arguments(request, ContainerEngine::Kind::kDocker);
  REQUIRE(docker);
  CHECK(has_pair(*docker, "--annotation", R"(more=one, "two")"));
}

TEST_CASE("docker is spoken to in its own words", "[trigger]") {
  const WorkerPlace place{"store", "/usr/bin/pfs-worker", "/v", "/l", "0123"};
  const auto docker = ContainerEngine::parse("/usr/local/bin/docker");
  REQUIRE(docker);
  CHECK(docker->kind() == ContainerEngine::Kind::kDocker);
  const auto arguments = docker->pod_arguments(worker_pod(sample_spec(), PodUser{1000, 100}, place));
  REQUIRE(arguments);
  CHECK(has_pair(*arguments, "--entrypoint", "/.pfs-worker/worker"));
  CHECK(has_pair(*arguments, "localhost/x", "/.pfs-worker/link/socket"));
  CHECK(docker->remove("x") == std::vector<std::string>{"rm", "--force", "--volumes", "--", "x"});
  CHECK(docker->credentials("/s/hub").global == std::vector<std::string>{"--config", "/s/hub.d"});
  const auto podman = ContainerEngine::parse("podman");
  CHECK(podman->credentials("/s/hub").verb == std::vector<std::string>{"--authfile", "/s/hub"});
  for (const char* text : {"", "runc", "bin/podman"}) {
    CHECK(ContainerEngine::parse(text).error().code == Code::kInvalid);
  }
}
