// What a person is told when a pipeline's container or command cannot do its work; nothing is published then.
#include <catch2/catch.hpp>

#include "semantics/pipeline_words.h"

using namespace pfs::test;

namespace {

/// Also `has FILE WORDS` and `has_not FILE WORDS`: the file has a line with those words, or is shown.
std::string with_refusals(const std::string& script) {
  return with_pipelines(R"sh(
    has() { grep -qF -- "$2" "$1" || { echo "no '$2' in:"; cat "$1"; return 1; }; }
    has_not() { if grep -F -- "$2" "$1"; then return 1; fi; }
    commits_of() { pfs list commit "$1" | tail -n +2 | wc -l; }
)sh" + script);
}

}  // namespace

TEST_CASE("an image that is not there fails the job, by its name, and the output stays as it was", "[semantics]") {
  Mounted mounted;
  REQUIRE_SH(mounted, with_refusals(R"sh(
    put f good
    pipeline copy 'cp /pfs/data/* /pfs/out/'; jobs_are 1 success
    real=$image; verb=update; image=pfs-no-such-image:1
    pipeline copy 'cp /pfs/data/* /pfs/out/'; jobs_are 2 success    # everything is done, no container is asked for
    before=$(head_of copy@master)
    put g new; jobs_are 3 'failure: image pfs-no-such-image'
    pfs inspect job "$(newest_job)" > "$T/job"
    has "$T/job" 'State: failure'
    has "$T/job" 'Reason: image pfs-no-such-image:1: not on this machine, and cannot be pulled'
    has "$T/job" 'build it or check its name'
    has_not "$T/job" 'Output Commit'
    pfs logs -j "$(newest_job)" > "$T/log"
    has "$T/log" 'the job failed: image pfs-no-such-image:1: not on this machine'
    pfs list pipeline > "$T/pipelines" 2>&1
    has "$T/pipelines" 'failure / failure'
    has "$T/pipelines" "'inspect pipeline NAME' tells why"
    pfs inspect pipeline copy > "$T/pipeline"; has "$T/pipeline" 'Reason: image pfs-no-such-image:1'
    test "$(head_of copy@master)" = "$before"
    test "$(ls "$P/copy@master")" = f
    image=$real; pipeline copy 'cp /pfs/data/* /pfs/out/'; jobs_are 4 success    # what was to be done
    test "$(cat "$P/copy@master/g")" = new
  )sh"));
}

TEST_CASE("a command that fails tells its status and its last line in the job, and all of it in the logs", "[semantics]") {
  Mounted mounted;
  REQUIRE_SH(mounted, with_refusals(R"sh(
    put f good
    pipeline copy 'cp /pfs/data/* /pfs/out/; echo on the way; echo no such luck >&2; case $(cat /pfs/data/*) in bad) exit 3;; esac'
    jobs_are 1 success
    before=$(head_of copy@master)
    put f bad; jobs_are 2 'failure: datum /f: the command end'
    pfs inspect job "$(newest_job)" > "$T/job"
    has "$T/job" 'Reason: datum /f: the command ended with status 3: no such luck'
    has "$T/job" 'Failed: 1'
    has_not "$T/job" 'Output Commit'
    pfs logs -j "$(newest_job)" > "$T/log"
    has "$T/log" 'on the way'
    has "$T/log" 'no such luck'
    has "$T/log" 'the job failed: datum /f: the command ended with status 3: no such luck'
    test "$(head_of copy@master)" = "$before"
    test "$(commits_of copy@master)" -eq 1
    test "$(cat "$P/copy@master/f")" = good
    put f better; jobs_are 3 success
    test "$(cat "$P/copy@master/f")" = better
  )sh"));
}

TEST_CASE("a command that is not in the image fails the job and is named with the image", "[semantics]") {
  Mounted mounted;
  REQUIRE_SH(mounted, with_refusals(R"sh(
    put f good
    cmd=/no/such; pipeline copy ''; jobs_are 1 'failure: transform.cmd: exec: '
    pfs inspect job "$(newest_job)" > "$T/job"
    has "$T/job" "Reason: transform.cmd: exec: \"/no/such\": not found in image $image; update the pipeline or the image"
    pfs logs -j "$(newest_job)" > "$T/log"; has "$T/log" '/no/such'
    test "$(commits_of copy@master)" -eq 0
    test -z "$(ls "$P/copy@master")"
  )sh"));
}

TEST_CASE("a job waits for podman, says so, and goes on by itself once it is installed", "[semantics]") {
  Mounted mounted;
  REQUIRE_SH(mounted, with_refusals(R"sh(
    pipeline copy 'cp /pfs/data/* /pfs/out/'
  )sh"));
  REQUIRE(mounted.stop());
  mounted.start({"PATH=" + mounted.store() + "-outside/bin"});
  REQUIRE_SH(mounted, with_refusals(R"sh(
    put f good; jobs_are 1 'running: waiting: podman is not in'
    pfs inspect job "$(newest_job)" > "$T/job"
    has "$T/job" "Reason: waiting: podman is not installed (not in pfsd's PATH), and pipelines need it: apt-get install podman"
    pfs logs -j "$(newest_job)" > "$T/log"; has "$T/log" 'waiting: podman is not installed'
    pfs list pipeline > "$T/pipelines" 2>&1; has "$T/pipelines" 'failure / running'
    pfs inspect pipeline copy > "$T/pipeline"; has "$T/pipeline" 'Reason: podman is not installed'
    mkdir -p "$T/bin"
    printf '#!/bin/sh\nPATH=%s exec %s "$@"\n' "$PATH" "$(command -v podman)" > "$T/podman"
    chmod 755 "$T/podman"; mv "$T/podman" "$T/bin/"
    jobs_are 1 success
    test "$(cat "$P/copy@master/f")" = good
    pfs list pipeline > "$T/pipelines" 2>&1; has "$T/pipelines" 'running / success'
  )sh"));
}
