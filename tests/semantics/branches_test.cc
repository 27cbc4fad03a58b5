// The lines of docs/semantics.md about branches as names: renamed, and retargeted by their
// pointers.
#include <fcntl.h>
#include <linux/fs.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

#include <catch2/catch.hpp>

#include "semantics/shell.h"

using namespace pfs::test;

TEST_CASE("S20: mv -T renames a branch, with its commits, its log and what is being changed in it",
          "[semantics]") {
  Mounted mounted;
  REQUIRE_SH(mounted, R"sh(
    mkdir "$P/data@dev" "$P/data@master"
    mkdir "$P/data@dev/dir"
    echo one > "$P/data@dev/dir/f"; commit data@dev
    head=$(head_of data@dev)
    cp "$P/data@dev/.pfs/log" log
    echo two > "$P/data@dev/dir/g"
    open=$(sed -n 's/^open: //p' "$P/data@dev/.pfs/commit")
    inode=$(stat -c %i "$P/data@dev"); below=$(stat -c %i "$P/data@dev/dir/g")
    exec 3>> "$P/data@dev/dir/h"
    echo before >&3

    mv -T "$P/data@dev" "$P/data@release"

    test "$(ls "$P")" = "data@master
data@release"
    test ! -e "$P/data@dev"
    test ! -e "$P/.pfs/heads/data@dev"
    test "$(errno_of cat "$P/data@dev^/dir/f")" = "No such file or directory"
    test "$(stat -c %i "$P/data@release")" = "$inode"
    test "$(stat -c %i "$P/data@release/dir/g")" = "$below"
    test "$(head_of data@release)" = "$head"
    diff log "$P/data@release/.pfs/log"
    test "$(sed -n 's/^open: //p' "$P/data@release/.pfs/commit")" = "$open"
    test "$(readlink "$P/data@$open")" = data@release
    echo after >&3
    exec 3>&-
    commit data@release
    test "$(head_of data@release)" = "$open"
    test "$(cat "$P/data@$open/dir/f" "$P/data@$open/dir/g" "$P/data@$open/dir/h")" = "one
two
before
after"
    test "$(cat "$P/data@release^/dir/f")" = one
    test "$(errno_of touch "$P/data@release/data@x")" = "Operation not permitted"
    ln -s data@release "$P/data@master"
    test "$(cat "$P/data@master/dir/g")" = two
    pfs list branch data | grep -q '^release '
    test -z "$(pfs list branch data | grep '^dev ' || true)"

    # the former name is free, and what is made of it is another branch
    mkdir "$P/data@dev"
    test -z "$(ls -A "$P/data@dev")"
    diff log "$P/data@dev/.pfs/log"
    echo new > "$P/data@dev/f"
    test ! -e "$P/data@release/f"
  )sh");
  REQUIRE(mounted.kill());
  mounted.start();
  REQUIRE_SH(mounted, R"sh(
    test "$(cat "$P/data@release/dir/g")" = two
    test "$(cat "$P/data@dev/f")" = new
    test "$(ls "$P/data@dev")" = f
  )sh");
}

TEST_CASE(
    "S20: a branch is not renamed onto another, into another repo, or to what is no branch's name",
    "[semantics]") {
  Mounted mounted;
  REQUIRE_SH(mounted, R"sh(
    mkdir "$P/data@dev" "$P/data@release" "$P/other@master"
    echo one > "$P/data@dev/f"; commit data@dev
    test "$(errno_of mv -T "$P/data@dev" "$P/data@release")" = "File exists"
    test "$(errno_of mv -T "$P/data@dev" "$P/other@dev")" = "Operation not permitted"
    test "$(errno_of mv -T "$P/data@dev" "$P/other@master")" = "Operation not permitted"
    test "$(errno_of mv -T "$P/data@$(head_of data@dev)" "$P/data@new")" = "Operation not permitted"
    test "$(errno_of mv -T "$P/.pfs" "$P/data@new")" = "Operation not permitted"
    test "$(cat "$P/data@dev/f")" = one
  )sh");
  const std::string dev = mounted / "data@dev";
  const std::string release = mounted / "data@release";
  CHECK(outcome(::syscall(SYS_renameat2, AT_FDCWD, dev.c_str(), AT_FDCWD, release.c_str(),
                          RENAME_EXCHANGE)) == EINVAL);
  CHECK(outcome(::rename(dev.c_str(), (mounted / "release").c_str())) == EINVAL);
  CHECK(contents(mounted / "data@dev/f") == "one\n");
}

TEST_CASE("S20: a rename that a kill cuts off has happened, with everything that was not committed",
          "[semantics]") {
  Mounted mounted({"PFS_FAULT=store.steps.published:kill"});
  REQUIRE_SH(mounted, R"sh(
    mkdir "$P/data@dev" "$P/data@master"
    echo moved > "$P/data@master/m"
    mv "$P/data@master/m" "$P/data@dev/m"
    echo one > "$P/data@dev/f"
    sed -n 's/^open: //p' "$P/data@dev/.pfs/commit" > open
    ! mv -T "$P/data@dev" "$P/data@release" 2> /dev/null
  )sh");
  REQUIRE(mounted.wait_for_end());
  mounted.start();
  REQUIRE_SH(mounted, R"sh(
    test ! -e "$P/data@dev"
    test "$(cat "$P/data@release/f" "$P/data@release/m")" = "one
moved"
    # still one publication with the branch that a file came from
    commit data@master
    test "$(head_of data@release)" = "$(cat open)"
    test "$(cat "$P/.pfs/heads/data@release/m")" = moved
  )sh");
}

TEST_CASE("S19: ln -sfn on a branch's pointer moves HEAD, as GNU and as BusyBox do it",
          "[semantics]") {
  Mounted mounted;
  REQUIRE_SH(mounted, R"sh(
    mkdir "$P/data@staging" "$P/data@master" "$P/other@master"
    heads="$P/.pfs/heads"
    next() { echo "$1" > "$P/data@staging/f"; commit data@staging; }
    moved() {
      test "$(cat "$P/data@master/f")" = "$1"
      test "$(readlink "$heads/data@master")" = "$(readlink "$heads/data@staging")"
      test "$(cat "$heads/data@master/f")" = "$1"
      # nothing of what ln did on the way is left
      test "$(ls "$heads")" = "data@master
data@staging
other@master"
    }
    next 1; ln -sfn ../../data@staging "$heads/data@master"; moved 1
    next 2; ln -sfn data@staging "$heads/data@master"; moved 2
    next 3; ln -sfn "$P/data@staging/" "$heads/data@master"; moved 3
    next 4; ln -sfT ../../data@staging "$heads/data@master"; moved 4
    next 5; busybox ln -sfn ../../data@staging "$heads/data@master"; moved 5
    next 6; (cd "$heads" && ln -sfn ../../data@staging data@master); moved 6
    next 7; ln -sfn "../../data@$(head_of data@staging)" "$heads/data@master"; moved 7
    ln -sfn '../../data@staging^3' "$heads/data@master"
    test "$(cat "$P/data@master/f")" = 4
    # a pointer is what it points at, so a copy of it retargets too
    cp -PT --remove-destination "$heads/data@staging" "$heads/data@master"; moved 7
  )sh");
}

TEST_CASE("S19: a pointer that is only removed, or replaced by what it cannot be, stays what it is",
          "[semantics]") {
  Mounted mounted;
  REQUIRE_SH(mounted, R"sh(
    mkdir "$P/data@staging" "$P/data@master" "$P/other@master"
    heads="$P/.pfs/heads"
    echo one > "$P/data@master/f"; commit data@master
    echo two > "$P/data@staging/f"; commit data@staging
    echo three > "$P/other@master/f"; commit other@master
    head=$(head_of data@master)
    stays() { test "$(head_of data@master)" = "$head"; test "$(cat "$P/data@master/f")" = one; }
    rm "$heads/data@master"; stays
    test "$(errno_of ln -sfn ../../other@master "$heads/data@master")" = "Operation not permitted"; stays
    test "$(errno_of busybox ln -sfn ../../other@master "$heads/data@master")" = "Operation not permitted"; stays
    test "$(errno_of ln -sfn ../../data@nothing "$heads/data@master")" = "No such file or directory"; stays
    test "$(errno_of ln -sfn 'nonsense' "$heads/data@master")" = "Invalid argument"; stays
    test "$(errno_of ln -sn ../../data@staging "$heads/data@master")" = "File exists"; stays
    test "$(errno_of touch "$heads/file")" = "Operation not permitted"
    test "$(errno_of mkdir "$heads/directory")" = "Operation not permitted"
    test "$(errno_of mv "$heads/data@staging" "$heads/data@master")" = "Operation not permitted"; stays
  )sh");
}

TEST_CASE("S30: .pfs/HEAD is retargeted by ln -sfn as well", "[semantics]") {
  Mounted mounted;
  REQUIRE_SH(mounted, R"sh(
    mkdir "$P/data@staging" "$P/data@master"
    next() { echo "$1" > "$P/data@staging/f"; commit data@staging; }
    moved() {
      test "$(cat "$P/data@master/f")" = "$1"
      test "$(head_of data@master)" = "$(head_of data@staging)"
      test "$(ls "$P/data@master/.pfs")" = "HEAD
commit
log"
    }
    next 1; ln -sfn ../../data@staging "$P/data@master/.pfs/HEAD"; moved 1
    next 2; busybox ln -sfn ../../data@staging "$P/data@master/.pfs/HEAD"; moved 2
    next 3; (cd "$P/data@master/.pfs" && ln -sfn data@staging HEAD); moved 3
    ln -sfn ../../data@staging.1 "$P/data@master/.pfs/HEAD"
    test "$(cat "$P/data@master/f")" = 1
    rm "$P/data@master/.pfs/HEAD"
    test "$(cat "$P/data@master/.pfs/HEAD/f")" = 1
  )sh");
}
