// The lines of docs/semantics.md about pipelines' containers and output branches: real containers on a real mount.
#include <catch2/catch.hpp>

#include "contract/trigger/podman_image.h"
#include "semantics/shell.h"

using namespace pfs::test;

namespace {

// Commands for the scripts: `pipeline NAME INPUT COMMAND...` makes one that runs the shell command for each file at the top of
// INPUT@master; `put NAME TEXT` is a change of data@master, committed; `newest STATE` waits for the newest job to be in it.
std::string with_pipelines(const std::string& script) {
  return "image=" + busybox_image() + R"sh(
    pipeline() {
      cat > "$T/spec.json" << SPEC
      { "pipeline": { "name": "$1" }, "transform": { "image": "$image", "cmd": ["sh"], "stdin": ["$2"] },
        "datum_tries": 1, "input": { "pfs": { "repo": "data", "glob": "/*" } } }
SPEC
      pfs create pipeline -f "$T/spec.json"
    }
    put() { echo "$2" > "$P/data@master/$1"; commit data@master; }
    jobs_are() { # how many, and the newest one's state
      for i in $(seq 300); do
        if test "$(pfs list job | tail -n +2 | wc -l)" -eq "$1" && pfs list job | sed -n 2p | grep -q "$2"; then return 0; fi
        sleep 0.1
      done
      pfs list job; return 1
    }
    mkdir "$P/data@master"
)sh" + script;
}

}  // namespace

TEST_CASE("S48: an output branch is read-only to people and shows the last good commit when a job fails", "[semantics]") {
  Mounted mounted;
  REQUIRE_SH(mounted, with_pipelines(R"sh(
    pipeline copy 'cat /pfs/data/* > /pfs/out/all; case $(cat /pfs/data/*) in bad) exit 3;; esac'
    put f good; jobs_are 1 success
    test "$(cat "$P/copy@master/all")" = good
    test "$(errno_of touch "$P/copy@master/mine")" = "Read-only file system"
    test "$(errno_of rm "$P/copy@master/all")" = "Read-only file system"
    grep -q copy "$P/copy@master/.pfs/commit"
    put f bad; jobs_are 2 failure
    test "$(cat "$P/copy@master/all")" = good
  )sh"));
}

TEST_CASE("S60: a container has its datum's files at /pfs/<input> and an empty, writable /pfs/out", "[semantics]") {
  Mounted mounted;
  REQUIRE_SH(mounted, with_pipelines(R"sh(
    mkdir "$P/data@master/one"; echo 1 > "$P/data@master/one/f"; echo 2 > "$P/data@master/two"; commit data@master
    pipeline list 'cd /pfs; echo * > out/top-${data##*/}; echo data/* >> out/top-${data##*/}'
    jobs_are 1 '2 + 0 / 2.*success'
    test "$(cat "$P/list@master/top-one")" = "data out
data/one"
    test "$(cat "$P/list@master/top-two")" = "data out
data/two"
    put three 3; jobs_are 2 '1 + 2 / 3.*success'
    test "$(ls "$P/list@master" | wc -l)" -eq 3
  )sh"));
}

TEST_CASE("S61: cp from an input to /pfs/out and a symlink to an input are reference copies", "[semantics]") {
  Mounted mounted;
  REQUIRE_SH(mounted, with_pipelines(R"sh(
    head -c 20000000 /dev/urandom > "$P/data@master/big"; commit data@master
    before=$(du -sk "$T/../store" | cut -f1)
    pipeline refer 'ln -s /pfs/data/big /pfs/out/linked; cp /pfs/data/big /pfs/out/copied'
    jobs_are 1 success
    test -f "$P/refer@master/linked" -a ! -L "$P/refer@master/linked"
    cmp "$P/data@master/big" "$P/refer@master/linked"
    cmp "$P/data@master/big" "$P/refer@master/copied"
  )sh"));
}

TEST_CASE("S62: what a job changes in its inputs is its own and goes with the datum", "[semantics]") {
  Mounted mounted;
  REQUIRE_SH(mounted, with_pipelines(R"sh(
    put f before
    pipeline change 'echo changed > /pfs/data/f; cat /pfs/data/f > /pfs/out/seen; busybox mv /pfs/data/f /pfs/data/g'
    jobs_are 1 success
    test "$(cat "$P/change@master/seen")" = changed
    test "$(cat "$P/data@master/f")" = before
    test ! -e "$P/data@master/g"
  )sh"));
}
