#include "trigger/secrets.h"

#include <sys/stat.h>

#include <string>

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include "base/file.h"
#include "support/must.h"
#include "support/temporary_directory.h"
#include "trigger/internal/worker_secrets.h"

using namespace pfs;
using namespace pfs::trigger;
using namespace pfs::test;
using nlohmann::json;

namespace {

json manifest(const std::string& name) {
  return {{"apiVersion", "v1"},
          {"kind", "Secret"},
          {"metadata", {{"name", name}, {"suite", "pachyderm"}}},
          {"data", {{"auth_token", "aHVudGVyMg=="}, {"both", "b25l"}}},
          {"stringData", {{"both", "two"}, {".dotted", "three\n"}}}};
}

SecretName name(const std::string& text) { return must(SecretName::parse(text)); }

unsigned mode_of(const std::string& path) {
  struct stat told {};
  REQUIRE(::stat(path.c_str(), &told) == 0);
  return told.st_mode & 07777U;
}

class Minutes final : public Clock {
 public:
  Timestamp now() const override { return {++minute_ * 60'000'000'000}; }
  std::chrono::steady_clock::time_point steady() const override { return {}; }

 private:
  mutable std::int64_t minute_ = 0;
};

}  // namespace

TEST_CASE("a secret is what its manifest says, also after a restart, in files for their owner alone", "[trigger]") {
  const TemporaryDirectory directory;
  const Minutes clock;
  auto secrets = must(Secrets::open(directory / "secrets", clock));
  const SecretInfo made = must(secrets->create(manifest("first").dump()));
  CHECK(made.type == "Opaque");
  CHECK(made.keys == std::vector<std::string>{".dotted", "auth_token", "both"});
  must(secrets->create(manifest("second").dump()));

  secrets = must(Secrets::open(directory / "secrets", clock));
  const Secret read = must(secrets->read(name("first")));
  CHECK(read.values == std::map<std::string, std::string>{{".dotted", "three\n"}, {"auth_token", "hunter2"}, {"both", "two"}});
  CHECK(read.created == made.created);
  const auto all = must(secrets->list());
  REQUIRE(all.size() == 2);
  CHECK(all[0].name.str() == "second");
  CHECK(mode_of(directory / "secrets") == 0700);
  CHECK(mode_of(directory / "secrets/first") == 0600);
}

TEST_CASE("a secret is made once and deleted once", "[trigger]") {
  const TemporaryDirectory directory;
  const Minutes clock;
  const auto secrets = must(Secrets::open(directory / "secrets", clock));
  must(secrets->create(manifest("s").dump()));
  CHECK(secrets->create(manifest("s").dump()).error().code == Code::kExists);
  must(secrets->remove(name("s")));
  CHECK(secrets->remove(name("s")).error().code == Code::kNotFound);
  CHECK(secrets->get(name("s")).error().code == Code::kNotFound);
  CHECK(must(secrets->list()).empty());
}

TEST_CASE("a secret that cannot be one is refused by the name of the field, and no value is told", "[trigger]") {
  const TemporaryDirectory directory;
  const Minutes clock;
  const auto secrets = must(Secrets::open(directory / "secrets", clock));
  struct Case {
    const char* pointer;
    json value;
    const char* names;
  };
  const std::string_view docker = "kubernetes.io/dockerconfigjson";
  const Case cases[] = {
      {"/kind", "ConfigMap", "kind"},
      {"/apiVersion", "v2", "apiVersion"},
      {"/metadata", json::object(), "metadata.name"},
      {"/metadata/name", 3, "metadata.name"},
      {"/metadata/name", "../hunter2", "letters"},
      {"/metadata/name", std::string(254, 'a'), "at most 253"},
      {"/stringdata", {{"k", "hunter2"}}, "stringdata"},
      {"/data", "hunter2", "data"},
      {"/data/auth_token", "hunter2!", "data.auth_token"},
      {"/data/auth_token", 5, "data.auth_token"},
      {"/stringData", {{"a/b", "hunter2"}}, "a/b"},
      {"/stringData", {{"..", "hunter2"}}, "'..'"},
      {"/type", docker, ".dockerconfigjson"},
      {"/stringData/k", std::string((1 << 20) + 1, 'x'), "over 1 MiB"},
  };
  for (const auto& [pointer, value, names] : cases) {
    json bad = manifest("s");
    bad[json::json_pointer(pointer)] = value;
    INFO(pointer);
    const auto refused = secrets->create(bad.dump());
    REQUIRE_FALSE(refused);
    CHECK((refused.error().code == Code::kInvalid || refused.error().code == Code::kTooLarge));
    CHECK_THAT(refused.error().message, Catch::Contains(names));
    if (std::string_view(pointer) != "/metadata/name") CHECK_THAT(refused.error().message, !Catch::Contains("hunter2"));
  }
  for (const char* text : {"", "{", "[]", R"({"kind": "Secret", "data": {"k": "hunter2)", "hunter2"}) {
    const auto refused = secrets->create(text);
    REQUIRE_FALSE(refused);
    CHECK_THAT(refused.error().message, !Catch::Contains("hunter2"));
  }
  json bad = manifest("s");
  bad["type"] = docker;
  bad["stringData"][".dockerconfigjson"] = "hunter2";
  CHECK_THAT(secrets->create(bad.dump()).error().message, Catch::Contains("auths") && !Catch::Contains("hunter2"));
  CHECK(must(secrets->list()).empty());
}

TEST_CASE("a worker is given what its pipeline's secrets hold", "[trigger]") {
  const TemporaryDirectory directory;
  const Minutes clock;
  const auto secrets = must(Secrets::open(directory / "secrets", clock));
  json binary = manifest("s");
  binary["data"]["binary"] = "AAE=";  // a NUL and a 1
  must(secrets->create(binary.dump()));

  const std::string place = directory / "place";
  const auto placed = must(place_secrets(secrets.get(), {{"s", "/etc/s", "TOKEN", "auth_token"}, {"s", "", "BOTH", "both"}}, place));
  CHECK(placed.environment == std::vector<std::string>{"TOKEN=hunter2", "BOTH=two"});
  REQUIRE(placed.mounts.size() == 1);
  CHECK(placed.mounts[0].mount_path == "/etc/s");
  CHECK(must(read_file(placed.mounts[0].directory + "/binary")) == std::string("\0\1", 2));
  CHECK(mode_of(place) == 0700);
  CHECK(mode_of(placed.mounts[0].directory + "/binary") == 0444);

  const auto refused = [&](const SecretUse& use, const Secrets* kept) {
    return place_secrets(kept, {use}, directory / "other").error().code;
  };
  CHECK(refused({"other", "/etc/s", "", ""}, secrets.get()) == Code::kNotFound);
  CHECK(refused({"s", "", "X", "nothing"}, secrets.get()) == Code::kNotFound);
  CHECK(refused({"s", "", "X", "binary"}, secrets.get()) == Code::kInvalid);
  CHECK(refused({"s", "/etc/s", "", ""}, nullptr) == Code::kNotFound);
}
