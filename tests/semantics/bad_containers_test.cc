// What user code does wrong in real containers: the job's state and reason say it, nothing is left, other pipelines go on.
#include <catch2/catch.hpp>

#include "semantics/pipeline_words.h"

using namespace pfs::test;

namespace {

/// Also a pipeline `good` that copies, `good_goes_on`, and `reason`: of the newest job of `bad`.
std::string with_a_good_one(const std::string& script) {
  return with_pipelines(R"sh(
    has() { grep -qF -- "$2" "$1" || { echo "no '$2' in:"; cat "$1"; return 1; }; }
    newest_of() { pfs list job -p "$1" | sed -n 2p | cut -d ' ' -f 1; }
    ended() { pfs inspect job "$(newest_of "$1")" --block > "$T/job" 2> /dev/null || test $? -eq 1; has "$T/job" "State: $2"; }
    good_goes_on() { ended good success; }
    pipeline good 'cp /pfs/data/* /pfs/out/'
)sh" + script);
}

}  // namespace

TEST_CASE("a command that forks and leaves its children ends all the same, and they are gone", "[semantics]") {
  Mounted mounted;
  REQUIRE_SH(mounted, with_a_good_one(R"sh(
    pipeline bad 'i=0; while test $i -lt 50; do (trap "" HUP TERM; exec sleep 4321) & i=$((i+1)); done; echo made > /pfs/out/made'
    put f hello
    ended bad success; good_goes_on
    test "$(cat "$P/bad@master/made")" = made
    test -z "$(ps -eo args | grep '^sleep 4321')"
  )sh"));
}

TEST_CASE("a command that forks without end meets the engine's limit, and all it has made ends with it", "[semantics]") {
  Mounted mounted;
  REQUIRE_SH(mounted, with_a_good_one(R"sh(
    put f hello; good_goes_on
    count() { ps -e -o comm= | grep -cx sh || true; }
    before=$(count)
    more='"datum_timeout": "3s",'
    # where nothing would hold it it does not begin
    pipeline bad 'most=$(/bin/busybox cat /sys/fs/cgroup/pids/pids.max /sys/fs/cgroup/pids.max 2> /dev/null); test "$most" -le 4096 || exit 9; f() { f | f & }; f; exec sleep 4323'
    sleep 1; put f again
    ended bad failure; has "$T/job" 'Reason: datum /f: the command was killed: datum_timeout (3s) has passed'
    good_goes_on
    for i in $(seq 100); do if test "$(count)" -lt $((before + 50)); then break; fi; sleep 0.1; done
    test "$(count)" -lt $((before + 50))
  )sh"));
}

TEST_CASE("a command that hangs is killed at datum_timeout, a job at job_timeout, and stop job ends one at once", "[semantics]") {
  Mounted mounted;
  REQUIRE_SH(mounted, with_a_good_one(R"sh(
    more='"datum_timeout": "1s",'; pipeline bad 'echo before; exec sleep 4322'
    put f hello
    ended bad failure; has "$T/job" 'Reason: datum /f: the command was killed: datum_timeout (1s) has passed'
    good_goes_on
    pfs logs -j "$(newest_of bad)" > "$T/log"; has "$T/log" before
    pfs logs -j "$(newest_of bad)" --tail 1 > "$T/log"; test "$(wc -l < "$T/log")" -eq 1; has "$T/log" 'the job failed'
    test -z "$(pfs logs -j "$(newest_of bad)" --since 0s)"
    pfs logs -j "$(newest_of bad)" --master > "$T/log"; has "$T/log" 'datum_timeout'; ! grep -q before "$T/log"
    verb=update; more='"job_timeout": "1s",'; pipeline bad 'exec sleep 4322'
    ended bad killed; has "$T/job" 'Reason: job_timeout (1s) has passed'
    more=; pipeline bad 'exec sleep 4322'
    for i in $(seq 100); do pfs inspect job "$(newest_of bad)" > "$T/job"; if grep -q ' /f ' "$T/job"; then break; fi; sleep 0.1; done
    has "$T/job" 'State: running'
    pfs list job --state running > "$T/jobs"; has "$T/jobs" "$(newest_of bad)"
    pfs restart datum "$(newest_of bad)" /f
    ! pfs restart datum "$(newest_of bad)" /nothing 2> "$T/refused"; has "$T/refused" 'no datum /nothing is being processed now'
    pfs stop job "$(newest_of bad)"
    ended bad killed; has "$T/job" 'Reason: stopped by a user'
    for i in $(seq 50); do if test -z "$(ps -eo args | grep '^sleep 4322')"; then break; fi; sleep 0.1; done
    test -z "$(ps -eo args | grep '^sleep 4322')"
    job=$(newest_of bad); pfs delete job "$job"; ! pfs inspect job "$job" 2> "$T/refused"; has "$T/refused" 'no such job'
    test ! -e "$P/bad@master/f"
  )sh"));
}

TEST_CASE("a command that is killed by a signal or by the memory limit says which", "[semantics]") {
  Mounted mounted;
  REQUIRE_SH(mounted, with_a_good_one(R"sh(
    pipeline bad 'kill -11 $$'
    put f hello
    ended bad failure; has "$T/job" 'Reason: datum /f: the command was killed by signal 11'
    verb=update; more='"resource_limits": {"memory": "64Mi"},'
    pipeline bad 'x=xxxxxxxxxxxxxxxx; while true; do x=$x$x; done'
    ended bad failure; has "$T/job" 'the memory limit was reached'
    good_goes_on
  )sh"));
}

TEST_CASE("named pipes in the output fail the datum; an input that is deleted is whole for others", "[semantics]") {
  Mounted mounted;
  REQUIRE_SH(mounted, with_a_good_one(R"sh(
    pipeline bad '/bin/busybox mkfifo /pfs/out/pipe'
    put f hello
    ended bad failure; has "$T/job" '/pfs/out/pipe: a named pipe, socket or device cannot be an output'
    verb=update; pipeline bad '/bin/busybox rm -rf /pfs/data; echo gone > /pfs/out/said'
    ended bad success
    good_goes_on
    test "$(cat "$P/data@master/f")" = hello
    test "$(cat "$P/bad@master/said")" = gone
  )sh"));
}

TEST_CASE("a command may put another directory at /pfs/out, and fails without one", "[semantics]") {
  Mounted mounted;
  REQUIRE_SH(mounted, with_a_good_one(R"sh(
    pipeline bad 'cd /; /bin/busybox rm -rf /pfs/out; /bin/busybox mkdir /pfs/out; echo new > /pfs/out/new'
    put f hello
    ended bad success; test "$(cat "$P/bad@master/new")" = new
    verb=update; pipeline bad '/bin/busybox mkdir /pfs/tmp; echo moved > /pfs/tmp/moved; /bin/busybox mv -T /pfs/tmp /pfs/out'
    put f again; ended bad success; test "$(ls "$P/bad@master")" = moved
    pipeline bad '/bin/busybox rm -rf /pfs/out'
    put f once-more; ended bad failure; has "$T/job" 'Reason: datum /f: /pfs/out: removed by the command'
    test "$(ls "$P/bad@master")" = moved
    good_goes_on
  )sh"));
}

TEST_CASE("what a failed job has left in its container is gone, and so is the room it took", "[semantics]") {
  Mounted mounted;
  REQUIRE_SH(mounted, with_a_good_one(R"sh(
    pipeline bad 'test ! -e /junk || exit 7; /bin/busybox dd if=/dev/zero of=/junk bs=1000000 count=50 2> /dev/null; exit 5'
    put f hello
    ended bad failure; has "$T/job" 'ended with status 5'
    put f again
    ended bad failure; has "$T/job" 'ended with status 5'
    good_goes_on
  )sh"));
}

TEST_CASE("a container that cannot start is told once, and not again and again", "[semantics]") {
  Mounted mounted;
  REQUIRE_SH(mounted, with_a_good_one(R"sh(
    more='"resource_limits": {"memory": "1Ki"},'; pipeline bad 'true'
    put f hello; good_goes_on
    sleep 7
    pfs logs -j "$(newest_of bad)" > "$T/log"; cat "$T/log"
    test "$(grep -c 'waiting: ' "$T/log")" -eq 1
    pfs stop job "$(newest_of bad)"
  )sh"));
}

TEST_CASE("a command that prints without end has the beginning and the end of it kept", "[semantics]") {
  Mounted mounted;
  REQUIRE_SH(mounted, with_a_good_one(R"sh(
    # 300 MB, many times what is kept
    pipeline bad 'echo first; x=0123456789; x=$x$x$x$x$x$x$x$x$x$x; /bin/busybox yes $x$x$x$x$x$x$x$x$x$x | /bin/busybox head -n 1000 > /pfs/out/part; i=0; while test $i -lt 300; do cat /pfs/out/part; i=$((i+1)); done; echo last'
    put f hello
    ended bad success; good_goes_on
    pfs logs -j "$(newest_of bad)" > "$T/log"
    test "$(head -n 1 "$T/log")" = first
    test "$(tail -n 1 "$T/log")" = last
    has "$T/log" 'are left out here'
    test "$(stat -c %s "$T/log")" -lt 17000000
  )sh"));
}

TEST_CASE("names that are no UTF-8 go through a pipeline as they are", "[semantics]") {
  Mounted mounted;
  REQUIRE_SH(mounted, with_a_good_one(R"sh(
    name=$(printf 'no\377utf')
    pipeline bad 'for f in /pfs/data/*; do cp "$f" /pfs/out/; done; echo "$data"'
    put "$name" hello
    ended bad success; good_goes_on
    test "$(cat "$P/bad@master/$name")" = hello
  )sh"));
}

TEST_CASE("an image of one static program and nothing else runs it", "[semantics]") {
  Mounted mounted;
  REQUIRE_SH(mounted, with_a_good_one(R"sh(
    mkdir "$T/root"; cp "$(command -v busybox)" "$T/root/busybox"
    tar -C "$T/root" -c . | podman import - localhost/pfs-test-scratch:1 > /dev/null
    image=localhost/pfs-test-scratch:1
    cat > "$T/scratch.json" << SPEC
    { "pipeline": { "name": "bad" }, "transform": { "image": "$image", "cmd": ["/busybox", "cp", "-r", "/pfs/data", "/pfs/out/"] },
      "input": { "pfs": { "repo": "data", "glob": "/*" } } }
SPEC
    pfs create pipeline -f "$T/scratch.json"
    put f hello
    ended bad success; good_goes_on
    test "$(cat "$P/bad@master/data/f")" = hello
  )sh"));
}
