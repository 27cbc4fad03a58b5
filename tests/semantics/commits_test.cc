// The lines of docs/semantics.md about `.pfs` in a branch and about how writes become commits.
#include <catch2/catch.hpp>

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
    ln -s data@staging "$P/data@master"
    test "$(cat <&3)" = old
    test "$(cat "$P/data@master/dir/f")" = new
    test "$(errno_of touch new-name)" = "Stale file handle"
    cd "$P/data@master/dir"
    touch new-name
  )sh");
}
