#include <catch2/catch.hpp>

#include <cstdlib>
#include <random>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "trigger/internal/spec.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace pfs::trigger {
namespace {

using nlohmann::json;

// A good spec with a value for most fields.
json good_spec() {
  return json::parse(R"({
    "pipeline": {"name": "edges"}, "description": "finds edges",
    "transform": {"image": "image", "cmd": ["sh", "-c"], "stdin": ["one"], "err_cmd": ["sh"], "err_stdin": ["true"],
                  "env": {"A": "1"}, "user": "nobody", "working_dir": "/tmp", "accept_return_code": [3],
                  "image_pull_secrets": ["registry"],
                  "secrets": [{"name": "access", "mount_path": "/etc/access"}, {"name": "access", "env_var": "A", "key": "a"}]},
    "input": {"pfs": {"repo": "images", "name": "in", "branch": "dev", "glob": "/*", "lazy": true}},
    "parallelism_spec": {"constant": 4}, "output_branch": "dev", "datum_tries": 5, "reprocess_spec": "every_job",
    "datum_timeout": "1m30s", "job_timeout": "1.5h", "output_merge": "error", "network": "default", "standby": true, "salt": "s",
    "resource_limits": {"cpu": "500m", "memory": "64M", "disk": "1Gi", "gpu": {"type": "nvidia.com/gpu", "number": 1}},
    "resource_requests": {"cpu": 0.5, "memory": 1000}, "metadata": {"labels": {"a": "b"}, "annotations": {}},
    "scheduling_spec": {"node_selector": {"disk": "ssd"}}, "pod_spec": "{}", "pod_patch": "[]",
    "chunk_spec": {"number": 2, "size_bytes": "10"}, "max_queue_size": 3, "cache_size": "1G"})");
}

// Values that fit nowhere, or only just.
const std::vector<json>& odd_values() {
  static const std::vector<json> values{
      nullptr, true, false, 0, -1, 1, 0.5, -0.5, 1e300, 18446744073709551615ULL, "", "x", "-1", "1e9999", "1E", "0x1", "99999999h",
      "9e18", "18446744073709551616", std::string(3000, 'a'), std::string("a\0b", 3), "ü", "/", "..", "a:b", json::array(), json::object(),
      {nullptr}, {""}, {{"a", nullptr}}, {{"a", "b"}}, {1, 2}, {json::array()}};
  return values;
}

void feed(const std::string& text) {
  LLVMFuzzerTestOneInput(reinterpret_cast<const std::uint8_t*>(text.data()), text.size());
}

TEST_CASE("a spec with another value in some field is refused or understood", "[fuzz]") {
  const json good = good_spec();
  REQUIRE(parse_spec(good.dump()));
  std::size_t tried = 0;
  const json fields = good.flatten();
  for (const auto& field : fields.items()) {
    for (json::json_pointer at(field.key()); !at.empty(); at.pop_back()) {
      for (const json& value : odd_values()) {
        json changed = good;
        changed[at] = value;
        if (getenv("PFS_SHOW")) fprintf(stderr, "%s = %s\n", at.to_string().c_str(), value.dump().c_str());
        feed(changed.dump());
        ++tried;
      }
    }
  }
  CHECK(tried > 1000);
}

TEST_CASE("a spec with other bytes is refused or understood", "[fuzz]") {
  const char* seed_text = std::getenv("PFS_SEED");
  const auto seed = static_cast<unsigned>(seed_text != nullptr ? std::atol(seed_text) : 1);
  INFO("PFS_SEED=" << seed);
  std::mt19937 random(seed);
  const std::string good = good_spec().dump();
  const auto below = [&](std::size_t end) { return std::uniform_int_distribution<std::size_t>(0, end - 1)(random); };
  for (int round = 0; round < 1000; ++round) {
    std::string text = good;
    for (std::size_t changes = 1 + below(4); changes > 0; --changes) {
      const std::size_t at = below(text.size());
      switch (below(4)) {
        case 0: text[at] = static_cast<char>(below(256)); break;
        case 1: text.erase(at, 1 + below(20)); break;
        case 2: text.insert(at, good.substr(below(good.size()), 1 + below(40))); break;
        default: text[at] = "{}[]\",:0-e"[below(10)]; break;
      }
      if (text.empty()) text = " ";
    }
    feed(text);
  }
  feed(std::string(100000, '['));
  feed(std::string(2 << 20, ' '));
  SUCCEED();
}

}  // namespace
}  // namespace pfs::trigger
