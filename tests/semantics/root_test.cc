// The lines of docs/semantics.md about the mount's root, each through a real mount with real tools.
#include <catch2/catch.hpp>

#include <unistd.h>

#include "semantics/shell.h"

using namespace pfs::test;

TEST_CASE("S1: repo@branch is the live directory of that branch, and ls lists it", "[semantics]") {
  Mounted mounted;
  REQUIRE_SH(mounted, R"sh(
    mkdir "$P/data@master" "$P/data@staging"
    test "$(ls "$P")" = "data@master
data@staging"
    echo hello > "$P/data@master/f"
    test "$(cat "$P/data@master/f")" = hello
    test -z "$(ls -A "$P" | grep '^\.pfs$' || true)"
    test -d "$P/.pfs"
  )sh");
}

TEST_CASE("S2: repo@<commit> is that commit, read-only, found by name and not listed", "[semantics]") {
  Mounted mounted;
  REQUIRE_SH(mounted, R"sh(
    mkdir "$P/data@master"
    echo one > "$P/data@master/f"; commit data@master
    id=$(head_of data@master)
    echo two > "$P/data@master/f"; commit data@master
    test "$(cat "$P/data@$id/f")" = one
    test "$(errno_of touch "$P/data@$id/new")" = "Read-only file system"
    test "$(errno_of rm "$P/data@$id/f")" = "Read-only file system"
    test "$(ls "$P")" = data@master
  )sh");
}

TEST_CASE("S2: a commit that is being finished is there under its id, and what is written meanwhile has another", "[semantics]") {
  Mounted mounted({"PFS_FAULT=store.finish.walked:pause"});
  REQUIRE_SH(mounted, R"sh(
    mkdir "$P/data@master"
    echo one > "$P/data@master/f"
    id=$(sed -n 's/^open: //p' "$P/data@master/.pfs/commit")
    commit data@master &
    until grep -q "^finishing: $id" "$P/data@master/.pfs/commit"; do sleep 0.01; done
    echo two > "$P/data@master/f"
    next=$(sed -n 's/^open: //p' "$P/data@master/.pfs/commit")
    test "$next" != "$id"
    test "$(readlink "$P/data@$next")" = data@master
    test ! -e "$P/.pfs/heads/data@master"
    test -d "$P/data@$id" -a ! -L "$P/data@$id"
    test "$(cat "$P/data@$id/f")" = one
    test "$(errno_of touch "$P/data@$id/new")" = "Read-only file system"
    wait
    commit data@master
    awk '{ print $3 }' "$P/data@master/.pfs/log" > log; printf '%s\n' "$next" "$id" | diff - log
    test "$(head_of data@master)" = "$next"
    test "$(cat "$P/data@$next/f")" = two
  )sh");
}

TEST_CASE("S2: a commit that is finished while its id is being looked up is found", "[semantics]") {
  Mounted mounted({"PFS_FAULT=fs.lookup.not_finished:pause"});
  REQUIRE_SH(mounted, R"sh(
    mkdir "$P/data@master"
    echo one > "$P/data@master/f"
    id=$(sed -n 's/^open: //p' "$P/data@master/.pfs/commit")
    cat "$P/data@$id/f" > found &
    sleep 0.5
    commit data@master
    wait $!
    test "$(cat found)" = one
  )sh");
}

TEST_CASE("S3: repo@<id of the open commit> leads to the branch's live directory", "[semantics]") {
  Mounted mounted;
  REQUIRE_SH(mounted, R"sh(
    mkdir "$P/data@master"
    echo one > "$P/data@master/f"
    id=$(grep -o '[0-9a-f]\{32\}' "$P/data@master/.pfs/commit" | head -n 1)
    test "$(readlink "$P/data@$id")" = data@master
  )sh");
}

TEST_CASE("S4: repo@branch^, ^^, ^N and .N are symlinks to ancestors of the newest finished commit", "[semantics]") {
  Mounted mounted;
  REQUIRE_SH(mounted, R"sh(
    mkdir "$P/data@master"
    for i in 1 2 3 4; do echo $i > "$P/data@master/f"; commit data@master; done
    test "$(cat "$P/data@master^/f")" = 3
    test "$(cat "$P/data@master^^/f")" = 2
    test "$(cat "$P/data@master^3/f")" = 1
    test "$(cat "$P/data@master.2/f")" = 2
    readlink "$P/data@master^" | grep -q '^data@[0-9a-f]\{32\}$'
    test ! -e "$P/data@master^4"
    test ! -e "$P/data@master.5"
  )sh");
}

TEST_CASE("S5: .pfs/heads/repo@branch is a symlink to HEAD, dangling while there is none", "[semantics]") {
  Mounted mounted;
  REQUIRE_SH(mounted, R"sh(
    mkdir "$P/data@master"
    test ! -e "$P/.pfs/heads/data@master"
    echo one > "$P/data@master/f"; commit data@master
    readlink "$P/.pfs/heads/data@master" | grep -q '^\.\./\.\./data@[0-9a-f]\{32\}$'
    test "$(cat "$P/.pfs/heads/data@master/f")" = one
  )sh");
}

TEST_CASE("S6: anything else in the root cannot be made and is not found", "[semantics]") {
  Mounted mounted;
  REQUIRE_SH(mounted, R"sh(
    test "$(errno_of touch "$P/x")" = "Invalid argument"
    test "$(errno_of mkdir "$P/data")" = "Invalid argument"
    test "$(errno_of mkdir "$P/da.ta@master")" = "Invalid argument"
    test "$(errno_of cat "$P/x")" = "No such file or directory"
  )sh");
}

TEST_CASE("S10: mkdir makes the branch, and its repo if need be", "[semantics]") {
  Mounted mounted;
  REQUIRE_SH(mounted, R"sh(
    mkdir "$P/data@master"
    mkdir "$P/data@dev"
    test "$(errno_of mkdir "$P/data@dev")" = "File exists"
    pfs list repo | grep -q '^data '
    pfs list branch data | grep -q '^dev '
  )sh");
}

TEST_CASE("S11: rmdir deletes an empty branch; its log stays for a branch made again", "[semantics]") {
  Mounted mounted;
  REQUIRE_SH(mounted, R"sh(
    mkdir "$P/data@dev"
    echo one > "$P/data@dev/f"; commit data@dev
    id=$(head_of data@dev)
    test "$(errno_of rmdir "$P/data@dev")" = "Directory not empty"
    rm -rf "$P/data@dev"
    test ! -e "$P/data@dev"
    test "$(cat "$P/data@$id/f")" = one
    mkdir "$P/data@dev"
    test -z "$(ls -A "$P/data@dev")"
    grep -q "$id" "$P/data@dev/.pfs/log"
  )sh");
}

TEST_CASE("S22: ls -l of .pfs/heads shows every branch and its HEAD", "[semantics]") {
  Mounted mounted;
  REQUIRE_SH(mounted, R"sh(
    mkdir "$P/data@master" "$P/other@dev"
    echo one > "$P/data@master/f"; commit data@master
    ls -l "$P/.pfs/heads" | grep -q "data@master -> ../../data@$(head_of data@master)"
    ls "$P/.pfs/heads" | grep -q '^other@dev$'
  )sh");
}

TEST_CASE("S7: a part is mounted elsewhere, and each sees what the other has changed", "[semantics]") {
  if (::geteuid() != 0) return;  // umount(2) and unshare(1) are root's
  Mounted mounted;
  REQUIRE_SH(mounted, R"sh(
    trap 'for each in "$T"/part "$T"/dir "$T"/whole; do umount -l "$each" 2> /dev/null || :; done' EXIT
    mkdir "$P/data@master" "$P/data@staging" "$P/data@master/dir" "$T/part" "$T/dir" "$T/whole"
    echo one > "$P/data@master/dir/f"; commit data@master
    echo staged > "$P/data@staging/g"; commit data@staging
    pfs mount data@master "$T/part"
    pfs mount data@master:/dir "$T/dir" -o ro,noexec
    cd "$T" && pfs mount . whole && cd /
    pfs list mount | grep "data@master " | grep -qx ".* $T/part"
    pfs list mount | grep "data@master:/dir " | grep -qx ".* $T/dir"
    test "$(pfs list mount --raw | grep -c '"directory":')" = 3
    test "$(cat "$T/dir/f")" = one
    echo two > "$T/part/dir/f"
    test "$(cat "$P/data@master/dir/f" "$T/dir/f" "$T/whole/data@master/dir/f" | tr '\n' ' ')" = "two two two "
    ln "$P/data@master/dir/f" "$P/data@master/dir/h"
    test "$(stat -c %h "$T/dir/f")" = 2
    test "$(errno_of touch "$T/dir/x")" = "Read-only file system"
    test "$(errno_of ln "$T/part/dir/f" "$P/data@master/x")" = "Invalid cross-device link"
    cp "$T/part/dir/f" "$P/data@master/copy"; mv "$P/data@master/copy" "$T/part/moved"
    test "$(cat "$P/data@master/moved")" = two
    mkdir -m 0710 "$T/whole/data@new"
    test "$(stat -c %a "$P/data@new")" = 710
    mv -T "$T/whole/data@new" "$T/whole/data@newer"
    test "$(errno_of ls "$P/data@new")" = "No such file or directory"
    rmdir "$T/whole/data@newer"
    test "$(errno_of ls "$P/data@newer")" = "No such file or directory"
    # their tops, wherever HEAD goes
    commit data@master
    ln -s data@staging "$P/data@master"
    test "$(ls "$T/part")" = g
    test "$(errno_of ls "$T/dir")" = "Stale file handle"
    # what cannot be
    pfs mount data@none "$T" 2>&1 | grep -q 'data@none: no such branch'
    pfs mount data@master "$P/data@master/dir" 2>&1 | grep -q 'in a mount of this store'
    pfs mount data@master "$T/part" 2>&1 | grep -q 'is mounted there'
    pfs unmount "$T" 2>&1 | grep -q 'no part is mounted there'
    unshare -m pfs mount data@master "$T" 2>&1 | grep -q 'in another mount namespace'
    pfs unmount "$T/part"; pfs unmount "$T/dir/"; cd "$T" && pfs unmount whole && cd /
    rmdir "$T/part" "$T/dir" "$T/whole"
    test -z "$(pfs list mount --raw)"
  )sh");
}
