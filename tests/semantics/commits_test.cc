// The lines of docs/semantics.md about `.pfs` in a branch and about how writes become commits.
#include <catch2/catch.hpp>

#include <unistd.h>

#include "semantics/shell.h"

using namespace pfs::test;

TEST_CASE("S30: .pfs/HEAD of a branch leads to its newest finished commit", "[semantics]") {
  Mounted mounted;
  REQUIRE_SH(mounted, R"sh(
    mkdir "$P/data@master"
    echo one > "$P/data@master/f"; commit data@master
    readlink "$P/data@master/.pfs/HEAD" | grep -q '^\.\./\.\./data@[0-9a-f]\{32\}$'
    test "$(cat "$P/data@master/.pfs/HEAD/f")" = one
    echo open > "$P/data@master/f"
    test "$(cat "$P/data@master/.pfs/HEAD/f")" = one
  )sh");
}

TEST_CASE("S31: a line into .pfs/commit finishes with that description; the write returns when it is durable", "[semantics]") {
  Mounted mounted;
  REQUIRE_SH(mounted, R"sh(
    mkdir "$P/data@master"
    echo one > "$P/data@master/f"
    grep -q '[0-9a-f]\{32\}' "$P/data@master/.pfs/commit"
    echo "the first ones" > "$P/data@master/.pfs/commit"
    pfs list commit data@master | grep -q 'the first ones'
    head=$(head_of data@master)
    echo "nothing new" > "$P/data@master/.pfs/commit"
    test "$(head_of data@master)" = "$head"
  )sh");
}

TEST_CASE("S32: .pfs/log lists the branch's former HEADs, newest first", "[semantics]") {
  Mounted mounted;
  REQUIRE_SH(mounted, R"sh(
    mkdir "$P/data@master"
    for i in 1 2 3; do echo $i > "$P/data@master/f"; commit data@master; head_of data@master >> "$T/heads"; done
    grep -o '[0-9a-f]\{32\}' "$P/data@master/.pfs/log" > "$T/logged"
    test "$(head -n 1 "$T/logged")" = "$(tail -n 1 "$T/heads")"
    for id in $(cat "$T/heads"); do grep -q "$id" "$T/logged"; done
    ln -s "data@$(head -n 1 "$T/heads")" "$P/data@master"
    test "$(cat "$P/data@master/f")" = 1
  )sh");
}

TEST_CASE("S33: .pfs cannot be made inside a branch and is not in commits", "[semantics]") {
  Mounted mounted;
  REQUIRE_SH(mounted, R"sh(
    mkdir "$P/data@master"
    test "$(errno_of mkdir "$P/data@master/.pfs")" = "File exists" -o "$(errno_of mkdir "$P/data@master/.pfs")" = "Operation not permitted"
    echo one > "$P/data@master/f"; commit data@master
    test -z "$(ls -A "$P/data@master" | grep pfs || true)"
    test ! -e "$P/data@$(head_of data@master)/.pfs"
  )sh");
}

TEST_CASE("S40: a change opens a commit whose id is known; HEAD and everything downstream mean finished ones", "[semantics]") {
  Mounted mounted;
  REQUIRE_SH(mounted, R"sh(
    mkdir "$P/data@master"
    echo one > "$P/data@master/f"
    id=$(grep -o '[0-9a-f]\{32\}' "$P/data@master/.pfs/commit" | head -n 1)
    test ! -e "$P/.pfs/heads/data@master"
    test "$(cat "$P/data@master/f")" = one
    commit data@master
    test "$(head_of data@master)" = "$id"
  )sh");
}

TEST_CASE("S41: a branch that is quiet is committed by itself; opening without writing does not count", "[semantics]") {
  Mounted mounted;
  REQUIRE_SH(mounted, R"sh(
    mkdir "$P/data@master"
    touch "$P/data@master/idle"; commit data@master
    exec 3>>"$P/data@master/idle"
    echo one > "$P/data@master/f"
    before=$(head_of data@master)
    for i in $(seq 50); do test "$(head_of data@master)" = "$before" || break; sleep 0.1; done
    test "$(cat "$P/.pfs/heads/data@master/f")" = one
  )sh");
}

TEST_CASE("S43: a commit holds every write whose close had returned before it was asked for", "[semantics]") {
  Mounted mounted;
  REQUIRE_SH(mounted, R"sh(
    mkdir "$P/data@master"
    for i in $(seq 40); do
      echo $i > "$P/data@master/f"; commit data@master
      test "$(cat "$P/.pfs/heads/data@master/f")" = $i
    done
  )sh");
}

TEST_CASE("S44: times of directories alone make no commit", "[semantics]") {
  Mounted mounted;
  REQUIRE_SH(mounted, R"sh(
    mkdir "$P/data@master"; mkdir "$P/data@master/dir"
    echo one > "$P/data@master/dir/f"; commit data@master
    head=$(head_of data@master)
    echo x > "$P/data@master/dir/temporary"; rm "$P/data@master/dir/temporary"
    commit data@master
    test "$(head_of data@master)" = "$head"
    touch -d '2001-01-01' "$P/data@master/dir/f"; commit data@master
    test "$(head_of data@master)" != "$head"
  )sh");
}

TEST_CASE("S45: what close acknowledged survives a killed daemon, and a finished commit never changes", "[semantics]") {
  Mounted mounted;
  REQUIRE_SH(mounted, R"sh(
    mkdir "$P/data@master"
    echo committed > "$P/data@master/f"; commit data@master; head_of data@master > "$T/id"
    echo closed > "$P/data@master/g"
    echo changed > "$P/data@master/f"
  )sh");
  REQUIRE(mounted.kill());
  mounted.start();
  REQUIRE_SH(mounted, R"sh(
    test "$(cat "$P/data@master/g")" = closed
    test "$(cat "$P/data@master/f")" = changed
    test "$(cat "$P/data@$(cat "$T/id")/f")" = committed
  )sh");
}

TEST_CASE("S46: a retarget finishes what is open first, and is refused while a file is being written", "[semantics]") {
  Mounted mounted;
  REQUIRE_SH(mounted, R"sh(
    mkdir "$P/data@staging" "$P/data@master"
    echo new > "$P/data@staging/f"; commit data@staging
    echo mine > "$P/data@master/mine"
    ln -s data@staging "$P/data@master"
    test "$(ls "$P/data@master")" = f
    old=$(grep -o '[0-9a-f]\{32\}' "$P/data@master/.pfs/log" | sed -n 2p)
    for id in $(grep -o '[0-9a-f]\{32\}' "$P/data@master/.pfs/log" | sort -u); do
      if test -e "$P/data@$id/mine"; then found=yes; fi
    done
    test "${found:-no}" = yes
    echo newer > "$P/data@staging/f"; commit data@staging
    exec 3> "$P/data@master/writing"
    echo half >&3
    test "$(errno_of ln -s data@staging "$P/data@master")" = "Device or resource busy"
    exec 3>&-
    ln -s data@staging "$P/data@master"
    test "$(cat "$P/data@master/f")" = newer
    pfs start commit data@master
    echo again > "$P/data@staging/f"
    test "$(errno_of ln -s data@staging "$P/data@master")" = "Device or resource busy"
    pfs finish commit data@master
  )sh");
}

TEST_CASE("S47: after a retarget lookups see the new tree; open files keep the old content; an old directory is stale",
          "[semantics]") {
  Mounted mounted;
  REQUIRE_SH(mounted, R"sh(
    mkdir "$P/data@staging" "$P/data@master"
    mkdir "$P/data@master/dir" "$P/data@staging/dir"
    echo old > "$P/data@master/dir/f"; commit data@master
    echo new > "$P/data@staging/dir/f"; commit data@staging
    cd "$P/data@master/dir"
    exec 3< f
    mkfifo "$T/go" "$T/mapped"
    python3 - "$T/go" "$T/mapped" << 'PYTHON' &
import mmap, sys
with open("f", "rb") as file, open(sys.argv[2], "w") as ready:
    mapping = mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ)  # touched after the retarget only
ready.close()
open(sys.argv[1]).read()
sys.exit(mapping[:] != b"old\n")
PYTHON
    mapper=$!
    cat "$T/mapped"
    ln -s data@staging "$P/data@master"
    echo > "$T/go"; wait $mapper
    test "$(cat <&3)" = old
    test "$(cat "$P/data@master/dir/f")" = new
    test "$(errno_of touch new-name)" = "Stale file handle"
    cd "$P/data@master/dir"
    touch new-name
  )sh");
}

TEST_CASE("S47: bind mounts see a retarget too, and one of a directory in the branch goes away", "[semantics]") {
  if (::geteuid() != 0) return;  // mount(8) is root's
  Mounted mounted;
  REQUIRE_SH(mounted, R"sh(
    mkdir "$P/data@staging" "$P/data@master" "$T/branch" "$T/dir"
    mkdir "$P/data@master/dir" "$P/data@staging/dir"
    echo old > "$P/data@master/dir/f"; commit data@master
    echo new > "$P/data@staging/dir/f"; commit data@staging
    mount --bind "$P/data@master" "$T/branch"
    mount --bind "$P/data@master/dir" "$T/dir"
    trap 'umount -l "$T/branch"; umount -l "$T/dir" || :' EXIT
    test "$(cat "$T/branch/dir/f" "$T/dir/f" | tr '\n' ' ')" = "old old "
    ln -s data@staging "$P/data@master"
    test "$(cat "$T/branch/dir/f")" = new
    test ! -e "$T/dir/f"
    # it can be entered anew
    umount -l "$T/dir" || :
    mount --bind "$P/data@master/dir" "$T/dir"
    test "$(cat "$T/dir/f")" = new
  )sh");
}

TEST_CASE("S42: a commit that was started by hand ends by finish commit only, is seen to be so, and outlives the daemon",
          "[semantics]") {
  Mounted mounted;
  REQUIRE_SH(mounted, R"sh(
    mkdir "$P/data@master" "$P/data@other"
    echo base > "$P/data@other/f"; commit data@other
    pfs update branch data@master --commit-after 10ms --commit-max 10ms
    pfs start commit data@master -m "by hand" > "$T/id"
    echo one > "$P/data@master/f"
    sleep 1
    test ! -e "$P/.pfs/heads/data@master"
    pfs list commit data@master | grep "$(cat "$T/id")" | grep -q 'started by hand'
    pfs inspect commit "data@$(cat "$T/id")" | grep -q 'Started By Hand: yes'
    pfs status | grep 'data@master' | grep -q 'started by hand'
    test "$(errno_of ln -s data@other "$P/data@master")" = "Device or resource busy"
    rm "$P/data@master/f"
    test "$(errno_of rmdir "$P/data@master")" = "Device or resource busy"
    echo two > "$P/data@master/f"
  )sh");
  REQUIRE(mounted.stop());
  mounted.start();
  REQUIRE_SH(mounted, R"sh(
    sleep 1
    test ! -e "$P/.pfs/heads/data@master"
    pfs list commit data@master | grep "$(cat "$T/id")" | grep -q 'started by hand'
    pfs finish commit data@master
    test "$(head_of data@master)" = "$(cat "$T/id")"
    test "$(cat "$P/.pfs/heads/data@master/f")" = two
    ln -s data@other "$P/data@master"
  )sh");
}

TEST_CASE("S49: a branch that does not get quiet is committed all the same, without the files that are being written", "[semantics]") {
  Mounted mounted;
  REQUIRE_SH(mounted, R"sh(
    mkdir "$P/data@master"
    echo former > "$P/data@master/known"; commit data@master
    before=$(head_of data@master)
    pfs update branch data@master --commit-after 1h --commit-max 1s
    exec 3> "$P/data@master/new" 4> "$P/data@master/known"
    echo half >&3
    echo half >&4
    echo whole > "$P/data@master/closed"
    for i in $(seq 100); do
      test "$(head_of data@master)" = "$before" || break
      echo more >&3
      echo more >&4
      sleep 0.1
    done
    test "$(head_of data@master)" != "$before"
    test "$(cat "$P/.pfs/heads/data@master/closed")" = whole
    test "$(cat "$P/.pfs/heads/data@master/known")" = former
    test ! -e "$P/.pfs/heads/data@master/new"
    pfs inspect commit data@master | grep -q 'left out: 2: .*/known'
    grep -q half "$P/data@master/new"
    exec 3>&- 4>&-
    commit data@master
    test "$(head -n 1 "$P/.pfs/heads/data@master/known")" = half
    test "$(head -n 1 "$P/.pfs/heads/data@master/new")" = half
  )sh");
}

TEST_CASE("S50: when commits are made is the branch's own policy: when it is quiet, at each close, or on request", "[semantics]") {
  Mounted mounted;
  REQUIRE_SH(mounted, R"sh(
    changed() { for i in $(seq 100); do test "$(head_of data@master)" = "$1" || return 0; sleep 0.05; done; return 1; }
    mkdir "$P/data@master"
    pfs inspect branch data@master | grep -q '^Commit: auto (default)$'
    echo one > "$P/data@master/f"; commit data@master
    pfs update branch data@master --commit close --commit-after 1h --commit-max 2m
    pfs inspect branch data@master | grep -q '^Commit: close$'
    pfs inspect branch data@master | grep -q '^Commit After: 1h$'
    pfs inspect branch data@master | grep -q '^Commit Max: 2m$'
    before=$(head_of data@master)
    exec 3> "$P/data@master/g"
    echo half >&3
    sleep 0.5
    test "$(head_of data@master)" = "$before"
    exec 3>&-
    changed "$before"
    test "$(cat "$P/.pfs/heads/data@master/g")" = half

    pfs update branch data@master --commit manual --commit-after 10ms --commit-max 10ms
    before=$(head_of data@master)
    echo two > "$P/data@master/f"
    sleep 1
    test "$(head_of data@master)" = "$before"
    grep -q 'policy: manual' "$P/data@master/.pfs/commit"
    pfs status | grep 'data@master' | grep -q manual
    echo "by request" > "$P/data@master/.pfs/commit"
    test "$(cat "$P/.pfs/heads/data@master/f")" = two
    echo three > "$P/data@master/f"
    head_of data@master > "$T/head"
    pfs update branch data@master --commit sometimes && exit 1
    pfs update branch data@master --commit-after soon && exit 1
    pfs update branch data@master && exit 1
    pfs inspect branch data@master | grep -q '^Commit: manual$'
  )sh");
  REQUIRE(mounted.stop());
  mounted.start();
  REQUIRE_SH(mounted, R"sh(
    pfs inspect branch data@master | grep -q '^Commit: manual$'
    sleep 0.5
    test "$(head_of data@master)" = "$(cat "$T/head")"
    test "$(cat "$P/data@master/f")" = three
    pfs update branch data@master --commit default --commit-after default --commit-max default
    pfs inspect branch data@master | grep -q '^Commit: auto (default)$'
    for i in $(seq 100); do test "$(head_of data@master)" = "$(cat "$T/head")" || break; sleep 0.05; done
    test "$(cat "$P/.pfs/heads/data@master/f")" = three
  )sh");
}

TEST_CASE("pfs status tells what is open since when, who is writing what, and why it is not finished", "[semantics]") {
  Mounted mounted;
  REQUIRE_SH(mounted, R"sh(
    mkdir "$P/data@master"
    exec 3> "$P/data@master/f"
    echo half >&3
    pfs status > "$T/status"
    grep -q '^BRANCH .*OPEN COMMIT .*SINCE .*LAST CHANGE .*POLICY .*WAITS FOR' "$T/status"
    grep '^data@master ' "$T/status" | grep auto | grep -q "/f is being written by $$ (sh)"
    grep -q "^data@master:/f  *$$ (sh)" "$T/status"
    pfs status -o json | grep -q "\"pid\": $$"
    grep -q "being written: /f by $$ (sh)" "$P/data@master/.pfs/commit"
    grep -q "waits for: /f is being written" "$P/data@master/.pfs/commit"
    mkdir "$P/data@other"
    echo x > "$P/data@other/f"; commit data@other
    ln -s data@other "$P/data@master" 2>/dev/null && exit 1
    exec 3>&-
  )sh");
  CHECK(mounted.log().find("/f is being written by process ") != std::string::npos);
}
