// The lines of docs/semantics.md about ordinary tools, each through a real mount with the real tools.
#include <catch2/catch.hpp>

#include "semantics/shell.h"

using namespace pfs::test;

TEST_CASE("S12: any write changes the branch and becomes part of a commit", "[semantics]") {
  Mounted mounted;
  REQUIRE_SH(mounted, R"sh(
    mkdir "$P/data@master"
    head -c 300000 /dev/urandom > "$T/f"
    cp "$T/f" "$P/data@master/"
    mkdir "$P/data@master/dir"
    tar -C / -cf - etc/passwd | tar -C "$P/data@master/dir" -xf -
    commit data@master
    cmp "$T/f" "$P/.pfs/heads/data@master/f"
    cmp /etc/passwd "$P/.pfs/heads/data@master/dir/etc/passwd"
  )sh");
}

TEST_CASE("S13: cp within the mount is a reference copy, uncommitted changes included", "[semantics]") {
  Mounted mounted;
  REQUIRE_SH(mounted, R"sh(
    mkdir "$P/data@staging" "$P/data@master"
    head -c 20000000 /dev/urandom > "$P/data@staging/f"
    commit data@staging
    printf changed | dd of="$P/data@staging/f" bs=1 seek=5000000 conv=notrunc status=none
    before=$(du -sk "$T/../store" | cut -f1)
    cp "$P/data@staging/f" "$P/data@master/"
    cmp "$P/data@staging/f" "$P/data@master/f"
    commit data@master
    after=$(du -sk "$T/../store" | cut -f1)
    test $((after - before)) -lt 4000
    cmp "$P/data@staging/f" "$P/.pfs/heads/data@master/f"
  )sh");
}

TEST_CASE("S14: cp -r within the mount copies file by file by reference", "[semantics]") {
  Mounted mounted;
  REQUIRE_SH(mounted, R"sh(
    mkdir -p "$P/data@staging" "$P/data@master"
    mkdir -p "$P/data@staging/dir/sub"
    for i in 1 2 3 4 5; do head -c 2000000 /dev/urandom > "$P/data@staging/dir/sub/$i"; done
    commit data@staging
    before=$(du -sk "$T/../store" | cut -f1)
    cp -r "$P/data@staging/dir" "$P/data@master/"
    commit data@master
    after=$(du -sk "$T/../store" | cut -f1)
    test $((after - before)) -lt 2000
    diff -r "$P/data@staging/dir" "$P/data@master/dir"
  )sh");
}

TEST_CASE("S15: a byte-by-byte copy stores nothing twice", "[semantics]") {
  Mounted mounted;
  REQUIRE_SH(mounted, R"sh(
    mkdir "$P/data@staging" "$P/data@master"
    head -c 8000000 /dev/urandom > "$T/f"
    busybox cp "$T/f" "$P/data@staging/f"; commit data@staging
    packs() { du -sk "$T/../store/open" "$T/../store/packs" | awk '{ sum += $1 } END { print sum }'; }
    before=$(packs)
    busybox cp "$T/f" "$P/data@master/again"; commit data@master
    test $(($(packs) - before)) -lt 200
    cmp "$T/f" "$P/.pfs/heads/data@master/again"
  )sh");
}

TEST_CASE("S16: mv across branches moves a directory by reference, and both branches' commits are published together",
          "[semantics]") {
  Mounted mounted;
  REQUIRE_SH(mounted, R"sh(
    mkdir "$P/data@staging" "$P/data@master"
    mkdir "$P/data@staging/dir"
    echo one > "$P/data@staging/dir/f"; commit data@staging
    echo two > "$P/data@staging/dir/g"
    mv "$P/data@staging/dir" "$P/data@master/"
    test ! -e "$P/data@staging/dir"
    test "$(cat "$P/data@master/dir/f" "$P/data@master/dir/g")" = "one
two"
    commit data@master
    test ! -e "$P/.pfs/heads/data@staging/dir"
    test "$(cat "$P/.pfs/heads/data@master/dir/g")" = two
  )sh");
}

TEST_CASE("S17: ln -s data@staging /pfs/data@master moves HEAD, in every form in which ln asks for it", "[semantics]") {
  Mounted mounted;
  REQUIRE_SH(mounted, R"sh(
    mkdir "$P/data@staging" "$P/data@master" "$P/other@master"
    next() { echo "$1" > "$P/data@staging/f"; commit data@staging; }
    moved() { test "$(cat "$P/data@master/f")" = "$1"; test "$(head_of data@master)" = "$(head_of data@staging)"; }
    next 1; ln -s data@staging "$P/data@master"; moved 1
    next 2; ln -sfn data@staging "$P/data@master/"; moved 2
    next 3; busybox ln -s data@staging "$P/data@master"; moved 3
    next 4; busybox ln -sf data@staging "$P/data@master/"; moved 4
    next 5; ln -s data@staging/ "$P/data@master"; moved 5
    next 6; ln -s ../data@staging "$P/data@master"; moved 6
    next 7; ln -s "$P/data@staging" "$P/data@master"; moved 7
    next 8; ! ln -sT data@staging "$P/data@master" 2> /dev/null
    test "$(cat "$P/data@master/f")" = 7
    test "$(errno_of ln -s data@staging "$P/other@master")" = "Operation not permitted"
    test "$(errno_of touch "$P/data@master/data@anything")" = "Operation not permitted"
    test ! -e "$P/data@master/data@staging"
    test -z "$(ls "$P/data@master" | grep @ || true)"
  )sh");
}

TEST_CASE("S18: ln -s to an ancestor or a commit moves HEAD there; the same HEAD again is no move", "[semantics]") {
  Mounted mounted;
  REQUIRE_SH(mounted, R"sh(
    mkdir "$P/data@staging" "$P/data@master"
    for i in 1 2 3 4 5; do echo $i > "$P/data@staging/f"; commit data@staging; done
    ln -s 'data@staging^3' "$P/data@master"
    test "$(cat "$P/data@master/f")" = 2
    moves=$(wc -l < "$P/data@master/.pfs/log")
    ln -s 'data@staging^3' "$P/data@master"
    test "$(wc -l < "$P/data@master/.pfs/log")" = "$moves"
    id=$(head_of data@staging)
    ln -s "data@$id" "$P/data@master"
    test "$(cat "$P/data@master/f")" = 5
    test "$(wc -l < "$P/data@master/.pfs/log")" = "$((moves + 1))"
  )sh");
}

TEST_CASE("S21: moving a branch onto another is refused, so that mv neither copies nor deletes", "[semantics]") {
  Mounted mounted;
  REQUIRE_SH(mounted, R"sh(
    mkdir "$P/data@dev" "$P/data@master"
    echo one > "$P/data@dev/f"; commit data@dev
    test "$(errno_of mv "$P/data@dev" "$P/data@master")" = "Operation not permitted"
    test "$(cat "$P/data@dev/f")" = one
    test -z "$(ls -A "$P/data@master")"
  )sh");
}

TEST_CASE("S23: diff -r of a branch's parent and the branch shows what the last commit changed", "[semantics]") {
  Mounted mounted;
  REQUIRE_SH(mounted, R"sh(
    mkdir "$P/data@master"
    echo same > "$P/data@master/same"; echo old > "$P/data@master/changed"; commit data@master
    echo new > "$P/data@master/changed"; echo more > "$P/data@master/added"; commit data@master
    diff -r "$P/data@master^" "$P/data@master" > "$T/out" || true
    grep -q '^< old$' "$T/out"; grep -q '^> new$' "$T/out"
    grep -q '^Only in .*: added$' "$T/out"
    ! grep -q same "$T/out"
  )sh");
}

TEST_CASE("S25: user.pfs.object and user.pfs.commit are answered by name and never listed", "[semantics]") {
  Mounted mounted;
  REQUIRE_SH(mounted, R"sh(
    mkdir "$P/data@master"
    printf hello > "$P/data@master/f"; commit data@master
    id=$(head_of data@master)
    test "$(getfattr --only-values --absolute-names -n user.pfs.object "$P/data@$id/f")" = "$(printf hello | sha256sum | cut -d' ' -f1)"
    test -z "$(getfattr -d -m - --absolute-names "$P/data@$id/f")"
  )sh");
}

TEST_CASE("S26: df shows the store's free space, du the logical sizes", "[semantics]") {
  Mounted mounted;
  REQUIRE_SH(mounted, R"sh(
    mkdir "$P/data@master"
    head -c 3000000 /dev/zero > "$P/data@master/f"
    test "$(du -s -k "$P/data@master/f" | cut -f1)" -ge 2929
    test "$(df --output=size -k "$P" | tail -n 1)" -eq "$(df --output=size -k "$T" | tail -n 1)"
  )sh");
}
