// A job whose container, its monitor or pfsd is killed ends once, as it should, and leaves no container.
#include <catch2/catch.hpp>

#include "semantics/pipeline_words.h"

using namespace pfs::test;

namespace {

/// Also $name, a pipeline's that no other test has; `slow`, which makes it; `container`, its container's id;
/// `running`, which waits until its command runs.
std::string with_a_slow_one(const std::string& script) {
  return with_pipelines(R"sh(
    test -f "$T/name" || echo "slow$$" > "$T/name"
    name=$(cat "$T/name")
    engine() { podman --runtime "$(command -v runc || command -v crun)" "$@"; }
    containers() { engine ps --all --quiet --no-trunc --filter "label=pfs.pipeline=$name"; }
    running() { for i in $(seq 300); do if ps -eo args | grep -q '^sleep 3[.]217'; then return 0; fi; sleep 0.1; done; return 1; }
    newest() { pfs list job -p "$name" | sed -n 2p | cut -d ' ' -f 1; }
    ended_well() {
      pfs inspect job "$(newest)" --block > "$T/job" 2> /dev/null || test $? -eq 1
      grep -q 'State: success' "$T/job" || { cat "$T/job"; pfs logs -j "$(newest)"; return 1; }
      test "$(pfs list job -p "$name" | tail -n +2 | wc -l)" -eq 1
      test "$(pfs list commit "$name@master" | tail -n +2 | wc -l)" -eq 1
      test "$(cat "$P/$name@master/f")" = hello    # once, not joined to what a killed one has put out
      test "$(containers | wc -l)" -le 1
    }
    slow() {
      cat > "$T/spec.json" << SPEC
      { "pipeline": { "name": "$name" }, "transform": { "image": "$image", "cmd": ["sh"],
          "stdin": ["cp /pfs/data/f /pfs/out/f; sleep 3.217"] }, "input": { "pfs": { "repo": "data", "glob": "/*" } } }
SPEC
      pfs create pipeline -f "$T/spec.json"
    }
)sh" + script);
}

}  // namespace

TEST_CASE("a container whose worker is killed is followed by another, and the datum is tried again", "[semantics]") {
  Mounted mounted;
  REQUIRE_SH(mounted, with_a_slow_one(R"sh(
    slow; put f hello; running
    kill -9 "$(engine inspect --format '{{.State.Pid}}' "$(containers)")"
    ended_well
    pfs logs -j "$(newest)" > "$T/log"; grep -q 'attempt 1 of 3' "$T/log"
  )sh"));
}

TEST_CASE("a container that is removed by hand is followed by another", "[semantics]") {
  Mounted mounted;
  REQUIRE_SH(mounted, with_a_slow_one(R"sh(
    slow; put f hello; running
    engine rm --force --time 0 "$(containers)" > /dev/null
    ended_well
  )sh"));
}

TEST_CASE("a container whose monitor is killed works on, and is gone when its pipeline is", "[semantics]") {
  Mounted mounted;
  REQUIRE_SH(mounted, with_a_slow_one(R"sh(
    slow; put f hello; running
    kill -9 "$(engine inspect --format '{{.State.ConmonPid}}' "$(containers)")"
    ended_well
    pfs delete pipeline "$name"
    test -z "$(containers)"
    test -z "$(ps -eo args | grep '^sleep 3[.]217')"
  )sh"));
}

TEST_CASE("a pfsd that is killed while a datum runs goes on with the job, and no container of it is left", "[semantics]") {
  Mounted mounted;
  REQUIRE_SH(mounted, with_a_slow_one("slow; put f hello; running"));
  REQUIRE(mounted.kill());
  mounted.start();
  REQUIRE_SH(mounted, with_a_slow_one(R"sh(
    for i in $(seq 100); do if pfs list pipeline > "$T/pipelines" 2>&1; then break; fi; sleep 0.1; done    # after the mount
    ended_well
    grep -q 'Restarts: 1' "$T/job"
    pfs delete pipeline "$name"
    test -z "$(containers)"
  )sh"));
}

TEST_CASE("a pfsd that is stopped while a container starts leaves nothing half-made", "[semantics]") {
  Mounted mounted;
  // between an engine's create and start there is a process that waits for the latter
  const std::string half_made = "half_made() { ps -e -o comm= | grep -c 'runc:.*INIT' || true; }\n";
  const std::string before = sh(mounted, half_made + "half_made").text;
  for (int round = 0; round < 6; ++round) {
    INFO("round " << round);
    REQUIRE_SH(mounted, with_pipelines("verb=update\npipeline p" + std::to_string(round) + " true; sleep 0." + std::to_string(round)));
    REQUIRE(mounted.stop());
    mounted.start();
  }
  REQUIRE(mounted.stop());
  mounted.start();
  CHECK(sh(mounted, half_made + "half_made").text == before);
}
