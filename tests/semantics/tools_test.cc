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

TEST_CASE("S24: a hard link is one file by all its names, over commits, remounts and history, and stays in its branch",
          "[semantics]") {
  Mounted mounted;
  REQUIRE_SH(mounted, R"sh(
    inode() { stat -c %i "$1"; }
    names() { stat -c %h "$1"; }
    one_file() { test "$(inode "$1")" = "$(inode "$2")"; test "$(names "$1")" = "$3"; cmp "$1" "$2"; }
    mkdir "$P/data@master" "$P/data@dev"
    cd "$P/data@master"
    mkdir d; echo one > a
    ln a d/b
    one_file a d/b 2
    test "$(ls -i a | awk '{ print $1 }')" = "$(ls -i d | awk '{ print $1 }')"
    echo two >> d/b; chmod 600 a
    test "$(cat a)" = "$(printf 'one\ntwo')"
    test "$(stat -c %a d/b)" = 600
    commit data@master
    one_file a d/b 2
    first=$(head_of data@master)
    one_file "$P/data@$first/a" "$P/data@$first/d/b" 2

    # a change by one name after a commit is a change of the other, in the next commit too
    echo three >> a; commit data@master
    one_file "$P/.pfs/heads/data@master/a" "$P/.pfs/heads/data@master/d/b" 2
    test "$(tail -n 1 "$P/.pfs/heads/data@master/d/b")" = three
    test "$(tail -n 1 "$P/data@$first/d/b")" = two

    # names go one by one, and a rename onto another name of the file does nothing
    ln a c; one_file a c 3; rm a
    one_file c d/b 2
    python3 -c 'import os; os.rename("c", "d/b")'
    one_file c d/b 2
    mv c e; one_file e d/b 2
    mv d f; one_file e f/b 2
    echo other > x; mv x e; test "$(names f/b)" = 1; test "$(cat e)" = other
    ln f/b f/g

    # not across branches; mv of a name whose other names stay copies, of all names moves
    test "$(errno_of ln f/b "$P/data@dev/b")" = "Invalid cross-device link"
    test "$(python3 -c 'import os, sys
try: os.rename("f/b", sys.argv[1])
except OSError as e: print(e.strerror)' "$P/data@dev/b")" = "Invalid cross-device link"
    cp f/g h; ln h i
    mv h "$P/data@dev/"
    test "$(names i)" = 1; test "$(names "$P/data@dev/h")" = 1; cmp i "$P/data@dev/h"
    number=$(inode f/b)
    mv f "$P/data@dev/"
    test "$(inode "$P/data@dev/f/b")" = "$number"
    one_file "$P/data@dev/f/b" "$P/data@dev/f/g" 2
    commit data@dev
    one_file "$P/.pfs/heads/data@dev/f/b" "$P/.pfs/heads/data@dev/f/g" 2
  )sh");
  REQUIRE(mounted.stop());
  mounted.start();
  REQUIRE_SH(mounted, R"sh(
    cd "$P/data@dev"
    test "$(stat -c %h f/b)" = 2; test "$(stat -c %i f/b)" = "$(stat -c %i f/g)"
    echo more >> f/g; cmp f/b f/g

    # the tools that make and keep hard links
    linked() { test "$(stat -c '%h %i' "$1/b")" = "2 $(stat -c %i "$1/g")"; cmp "$1/b" f/b; }
    cp -a f by_cp; linked by_cp
    tar -cf - f | (mkdir by_tar; tar -C by_tar -xf -); linked by_tar/f
    rsync -aH f/ by_rsync/; linked by_rsync
    rsync -a --link-dest="$P/data@dev/f" f/ by_link_dest/
    test "$(stat -c %i by_link_dest/b)" = "$(stat -c %i f/b)"
    test "$(stat -c %h f/b)" = 4
    git init -q origin
    git -C origin -c user.name=n -c user.email=e commit -q --allow-empty -m first
    git clone -q --local origin clone
    test -n "$(find clone/.git/objects -type f -links 2)"
    git -C clone fsck --strict
    commit data@dev
    cd "$P/.pfs/heads/data@dev"
    linked by_cp; linked by_tar/f; linked by_rsync
    test -n "$(find clone/.git/objects -type f -links 2)"
    find . -links +1 -type f -exec cat {} + > /dev/null
    rm -rf "$P/data@dev/by_cp" "$P/data@dev/origin" "$P/data@dev/f"
    git -C "$P/data@dev/clone" fsck --strict
    test "$(stat -c %h "$P/data@dev/by_link_dest/b")" = 2
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
    test "$(getfattr --only-values --absolute-names -n user.pfs.commit "$P/data@$id/f")" = "$id"
    setfattr -n user.pfs.commit -v other "$P/data@master/f" || true
    test "$(getfattr --only-values --absolute-names -n user.pfs.object "$P/data@master/f")" = "$(printf hello | sha256sum | cut -d' ' -f1)"
    test -z "$(getfattr -d -m - --absolute-names "$P/data@master/f")"
  )sh");
}

TEST_CASE("S26: a sparse file is copied and archived as it is, from a branch and from a commit", "[semantics]") {
  Mounted mounted;
  REQUIRE_SH(mounted, R"sh(
    mkdir "$P/data@master"
    truncate -s 64M sparse
    for at in 3 17 40; do echo "data at $at" | dd of=sparse bs=1M seek=$at conv=notrunc status=none; done
    cp --sparse=always sparse "$P/data@master/f"
    check() {
      cmp sparse "$1"
      cp --sparse=auto "$1" copied; cmp sparse copied
      cp --sparse=always "$1" copied; cmp sparse copied; test "$(du -k copied | cut -f 1)" -lt 1024
      tar -S --hole-detection=seek -cf - -C "$(dirname "$1")" f | tar -xf - ; cmp sparse f; rm f copied
    }
    check "$P/data@master/f"
    cp --sparse=auto "$P/data@master/f" "$P/data@master/g"; cmp sparse "$P/data@master/g"
    commit data@master
    check "$P/data@$(head_of data@master)/f"
    check "$P/data@master/f"
    test "$(stat -c %b "$P/data@master/f")" = $((64 * 2048))
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
