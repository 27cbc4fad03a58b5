// The command line and the mount, driven by turns: after each step both tell the same.
#include <catch2/catch.hpp>

#include "semantics/shell.h"

using namespace pfs::test;

namespace {

// `agree`: every branch, its HEAD, the id of its open commit, its live content and that of its HEAD, through both.
std::string with_agreement(const std::string& script) {
  return R"sh(
    agree() {
      ls "$P" | sort > mounted
      for repo in $(pfs list repo | tail -n +2 | cut -d ' ' -f 1); do
        pfs list branch "$repo" | tail -n +2 | sed "s/^/$repo@/"
      done > told
      cut -d ' ' -f 1 told | sort | diff mounted -
      while read -r branch head rest; do
        if test "$head" = -; then test ! -e "$P/.pfs/heads/$branch"; else test "$(head_of "$branch")" = "$head"; fi
        open=$(grep -o '[0-9a-f]\{32\}' "$P/$branch/.pfs/commit" | head -n 1)
        pfs inspect branch "$branch" --raw | grep -q "\"$open\""
        same "$branch"
        if test "$head" != -; then same "${branch%@*}@$head"; fi
      done < told
    }
    same() {
      rm -rf got; pfs get file -r "$1:/" -o got
      diff -r got "$P/$1"
    }
  )sh" + script;
}

}  // namespace

TEST_CASE("the command line and the mount agree after each step", "[semantics][cli]") {
  Mounted mounted;
  REQUIRE_SH(mounted, with_agreement(R"sh(
    pfs create repo data; agree
    pfs create branch data@master; agree
    mkdir "$P/data@staging"; agree
    echo one > "$P/data@staging/one"; agree
    echo two | pfs put file data@staging:/dir/two; agree
    commit data@staging; agree
    echo more >> "$P/data@staging/dir/two"; agree
    ln -s data@staging "$P/data@master"; agree
    pfs put file -a data@staging:/one -f "$P/data@staging/dir/two"; agree
    cp "$P/data@staging/one" "$P/data@master/copied"; agree
    pfs copy file data@staging:/dir data@master:/by-reference; agree
    mv "$P/data@master/by-reference" "$P/data@staging/moved"; agree
    pfs create branch data@master --head staging^; agree
    pfs delete file data@staging:/dir; agree
    rm -r "$P/data@staging/moved"; agree
    mkdir "$P/other@master"; cp -r "$P/data@staging/." "$P/other@master"; agree
    pfs delete branch other@master -f; agree
  )sh"));
}

TEST_CASE("a commit that is opened by hand is one for both, until it is finished", "[semantics][cli]") {
  Mounted mounted;
  REQUIRE_SH(mounted, with_agreement(R"sh(
    mkdir "$P/data@master"; echo one > "$P/data@master/f"; commit data@master
    id=$(pfs start commit data@master); agree
    grep -q "$id" "$P/data@master/.pfs/commit"
    test "$(readlink "$P/data@$id")" = data@master
    echo two > "$P/data@master/f"; agree
    echo three | pfs put file data@master:/g; agree
    pfs copy file data@master:/g data@master:/h; agree
    test "$(head_of data@master)" != "$id"
    pfs finish commit "data@$id"; agree
    test "$(head_of data@master)" = "$id"
    test "$(cat "$P/data@$id/h")" = three
  )sh"));
}

TEST_CASE("copies by the command line and on the mount are by reference", "[semantics][cli]") {
  Mounted mounted;
  REQUIRE_SH(mounted, with_agreement(R"sh(
    mkdir "$P/data@staging" "$P/data@master" "$P/data@staging/dir"
    head -c 20000000 /dev/urandom > "$P/data@staging/dir/big"; commit data@staging
    packs() { du -sk "$T/../store/open" "$T/../store/packs" | awk '{ sum += $1 } END { print sum }'; }
    before=$(packs)
    pfs copy file data@staging:/dir data@master:/by-the-cli
    pfs copy file data@staging:/dir/big data@master:/big
    cp "$P/data@staging/dir/big" "$P/data@master/by-the-mount"
    commit data@master; agree
    test $(($(packs) - before)) -lt 5000
    object=$(getfattr --absolute-names --only-values -n user.pfs.object "$P/data@staging/dir/big")
    for copy in by-the-cli/big big by-the-mount; do
      test "$(getfattr --absolute-names --only-values -n user.pfs.object "$P/data@master/$copy")" = "$object"
    done
  )sh"));
}

TEST_CASE("a put by the command line is seen at once by who has read the file and its directory before", "[semantics][cli]") {
  Mounted mounted;
  REQUIRE_SH(mounted, R"sh(
    mkdir "$P/data@master"; echo first > "$P/data@master/f"; commit data@master
    test "$(cat "$P/data@master/f")" = first
    test "$(stat -c %s "$P/data@master/f")" = 6
    echo a-longer-second | pfs put file data@master:/f
    test "$(cat "$P/data@master/f")" = a-longer-second
    test "$(stat -c %s "$P/data@master/f")" = 16
    echo third | pfs put file -a data@master:/f
    test "$(tail -n 1 "$P/data@master/f")" = third
    ls "$P/data@master" > /dev/null
    echo new | pfs put file data@master:/new
    test "$(ls "$P/data@master")" = "f
new"
  )sh");
}

TEST_CASE("a big file is read through the mount where there is one, and over the connection where there is none", "[semantics][cli]") {
  Mounted mounted;
  REQUIRE_SH(mounted, "pid=" + std::to_string(mounted.pid()) + R"sh(
    answered() { sed -n 's/^wchar: //p' "/proc/$pid/io"; }
    mkdir "$P/data@master" "$P/data@master/d x"
    head -c 9000000 /dev/urandom > "$P/data@master/d x/f"; ln -s "d x" "$P/data@master/link"; ln -s f "$P/data@master/d x/g"
    cp "$P/data@master/d x/f" first; commit data@master
    head -c 9000000 /dev/urandom > "$P/data@master/d x/f"; cp "$P/data@master/d x/f" second; commit data@master
    pfs get file "data@master:/d x/f" -o got; cmp got second
    before=$(answered)  # the kernel's requests are, what goes over a socket is not counted
    pfs get file "data@master^:/d x/f" -o got; cmp got first
    test $(($(answered) - before)) -gt 9000000
    pfs get file "data@$(head_of data@master):/d x/f" > got; cmp got second
    pfs get file "data@master.1:/d x/f" --offset 1000000 -o got; tail -c +1000001 first | cmp got
    head -c 500000 second > got; pfs get file "data@master:/d x/f" --retry -o got; cmp got second
    echo more >> "$P/data@master/d x/f"; pfs get file "data@master:/d x/f" -o got; cmp got "$P/data@master/d x/f"
    if pfs get file "data@master:/link/f" -o got; then exit 1; fi
    test "$(stat -c %a got)" = 644
    if test "$(id -u)" -eq 0; then  # a mount namespace
      unshare -m sh -c "umount -l '$P'; pfs get file 'data@master.1:/d x/f' -o got"; cmp got first
    fi
  )sh");
}

TEST_CASE("Ctrl-C ends a command with 130, and nothing of it is in the repo", "[semantics][cli]") {
  Mounted mounted;
  REQUIRE_SH(mounted, R"sh(
    mkdir "$P/data@master" "$T/out"
    head -c 64M /dev/urandom > "$P/data@master/f"; commit data@master
    interrupted() { # a command in the background; it has hung by then, or is at work
      sleep 0.3
      kill -INT "$!"
      status=0; wait "$!" || status=$?
      test "$status" = 130
    }
    mkfifo "$T/fifo"
    exec 3<> "$T/fifo"
    head -c 16k /dev/zero >&3
    pfs put file data@master:/new -f - < "$T/fifo" & interrupted
    pfs subscribe commit data@master > /dev/null & interrupted
    pfs start commit data@master > /dev/null
    pfs put file data@master:/old -f - < "$T/fifo" & interrupted
    pfs finish commit data@master
    test "$(ls "$P/data@master")" = f
    # what a get has written so far is there to go on with
    for i in 1 2 3 4 5; do
      pfs get file data@master:/f -o "$T/out/f" & sleep 0.0$i; kill -INT "$!" || :; wait "$!" || test "$?" = 130
      pfs get file data@master:/f -o "$T/out/f" --retry
      cmp "$T/out/f" "$P/data@master/f"
      rm "$T/out/f"
    done
    exec 3>&-; rm "$T/fifo"; rmdir "$T/out"
  )sh");
}
