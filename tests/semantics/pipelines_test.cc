// The lines of docs/semantics.md about pipelines' containers and output branches: real containers on a real mount.
#include <catch2/catch.hpp>

#include "semantics/pipeline_words.h"

using namespace pfs::test;

TEST_CASE("S48: an output branch is read-only to people and shows the last good commit when a job fails", "[semantics]") {
  Mounted mounted;
  REQUIRE_SH(mounted, with_pipelines(R"sh(
    pipeline copy 'cat /pfs/data/* > /pfs/out/all; case $(cat /pfs/data/*) in bad) exit 3;; slow) sleep 2;; esac'
    put f good; jobs_are 1 success
    test "$(cat "$P/copy@master/all")" = good
    test "$(errno_of touch "$P/copy@master/mine")" = "Read-only file system"
    test "$(errno_of rm "$P/copy@master/all")" = "Read-only file system"
    grep -q copy "$P/copy@master/.pfs/commit"
    seen() { pfs subscribe commit "$1" --pipeline "$2" --timeout 500ms 2> /dev/null | tail -n +2 | awk '{ print $3 }'; }
    test "$(seen copy@master copy)" = "$(head_of copy@master)"
    test -z "$(seen copy@master other)$(seen data@master copy)"
    put f bad; jobs_are 2 failure
    test "$(cat "$P/copy@master/all")" = good
    put f slow; jobs_are 3 running
    test "$(cat "$P/copy@master/all")" = good
    jobs_are 3 success
    test "$(cat "$P/copy@master/all")" = slow
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
    packs() { du -sk "$T/../store/open" "$T/../store/packs" | awk '{ sum += $1 } END { print sum }'; }
    before=$(packs)
    pipeline refer 'ln -s /pfs/data/big /pfs/out/linked; cp /pfs/data/big /pfs/out/copied'
    jobs_are 1 success
    test $(($(packs) - before)) -lt 8000  # busybox's cp copies byte by byte: what it writes is found to be there
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

TEST_CASE("S63: a job sees its own view and no other's; outside nobody sees that there are any", "[semantics]") {
  Mounted mounted;
  REQUIRE_SH(mounted, with_pipelines(R"sh(
    put f hello
    pipeline look 'ls -a /pfs > /pfs/out/top; ls /pfs/.pfs > /pfs/out/control 2>&1; ls -a /pfs/.. | grep -c views > /pfs/out/up; sleep 2'
    sleep 1
    test "$(ls -A "$P/.pfs")" = heads
    test -z "$(ls -A "$P/.pfs/views")"
    test "$(stat -c %h "$P/.pfs/views")" = 1
    jobs_are 1 success
    test "$(cat "$P/look@master/top" | tr '\n' ' ')" = ". .. data out "
    grep -q 'No such file' "$P/look@master/control"
    test "$(cat "$P/look@master/up")" = 0
  )sh"));
}

TEST_CASE("S63: each datum sees its own files and no other's, whatever a container's datums before it have looked at", "[semantics]") {
  Mounted mounted;
  REQUIRE_SH(mounted, with_pipelines(R"sh(
    for i in $(seq 150); do echo "$i" > "$P/data@master/n$i"; done
    commit data@master
    pipeline p 'set -e; name=$(busybox basename "$data"); set -- /pfs/*; test "$*" = "/pfs/data /pfs/out"; for again in 1 2; do test "$(busybox ls /pfs/data)" = "$name"; test "n$(busybox cat /pfs/data/*)" = "$name"; test -z "$(busybox ls /pfs/out)"; busybox stat /pfs /pfs/data "$data" /pfs/out > /dev/null; test ! -e /pfs/none; test ! -e /pfs/data/none; done; echo "$name" > "/pfs/out/$name"; busybox mkdir "/pfs/out/d$name"; echo in > "/pfs/out/d$name/f"; set -- /pfs/out/*; test "$*" = "/pfs/out/d$name /pfs/out/$name"'
    jobs_are 1 success
    test "$(ls "$P/p@master" | wc -l)" -eq 300
    for i in $(seq 150); do test "$(cat "$P/p@master/n$i" "$P/p@master/dn$i/f")" = "n$i
in"; done
  )sh"));
}

TEST_CASE("S70: EROFS for an output branch, EBUSY for a branch that a pipeline reads or writes", "[semantics]") {
  Mounted mounted;
  REQUIRE_SH(mounted, with_pipelines(R"sh(
    put f hello; rm "$P/data@master/f"; commit data@master
    mkdir "$P/data@dev" "$P/copy@dev"
    pipeline copy 'cp /pfs/data/* /pfs/out/'
    test "$(errno_of touch "$P/copy@master/mine")" = "Read-only file system"
    test "$(errno_of sh -c 'echo > "$1"' - "$P/copy@master/.pfs/commit")" = "Read-only file system"
    test "$(errno_of ln -s copy@dev "$P/copy@master")" = "Read-only file system"
    test "$(errno_of rmdir "$P/data@master")" = "Device or resource busy"
    test "$(errno_of mv -T "$P/data@master" "$P/data@main")" = "Device or resource busy"
    test "$(errno_of mv -T "$P/copy@master" "$P/copy@main")" = "Device or resource busy"
    pfs delete pipeline copy
    mv -T "$P/data@master" "$P/data@main"
    test -d "$P/data@main"
  )sh"));
  CHECK(mounted.log().find("data@master: read by pipeline copy") != std::string::npos);
  CHECK(mounted.log().find("copy@master: written by pipeline copy") != std::string::npos);
}

TEST_CASE("S62: a job changes a big input that it shares with others, and they see nothing of it", "[semantics]") {
  Mounted mounted;
  REQUIRE_SH(mounted, with_pipelines(R"sh(
    head -c 3000000 /dev/zero > "$P/data@master/big"; commit data@master
    pipeline change 'cd /pfs/data; b=/bin/busybox; set -e; $b wc -c < big > /pfs/out/before; echo more >> big; $b wc -c < big > /pfs/out/appended; $b mv big moved; echo new > moved; cat moved > /pfs/out/renamed; $b rm moved'
    jobs_are 1 success
    test "$(cat "$P/change@master/before")" = 3000000
    test "$(cat "$P/change@master/appended")" = 3000005
    test "$(cat "$P/change@master/renamed")" = new
    pipeline look '/bin/busybox wc -c < /pfs/data/big > /pfs/out/size'
    jobs_are 2 success
    test "$(cat "$P/look@master/size")" = 3000000
    test "$(stat -c %s "$P/data@master/big")" = 3000000
  )sh"));
}

TEST_CASE("a container reaches the network that its spec asks for, and none otherwise", "[semantics]") {
  Mounted mounted;
  REQUIRE_SH(mounted, with_pipelines(R"sh(
    mkdir "$T/www"; echo served > "$T/www/page"
    for port in $(shuf -n 20 -i 20000-32000); do  # one that nobody has
      busybox httpd -f -p "127.0.0.1:$port" -h "$T/www" & server=$!
      sleep 0.3; kill -0 "$server" 2> /dev/null && break
    done
    trap 'kill "$server"' EXIT
    # nc: the wget of a static busybox looks for the resolver's libraries
    fetch="(echo GET /page HTTP/1.0; echo) | busybox nc -w 5 127.0.0.1 $port > /pfs/out/page; busybox grep -c : /proc/net/dev > /pfs/out/interfaces"
    pipeline alone "$fetch"
    more='"network": "host",'; pipeline with "$fetch"
    put f x; pfs flush commit data@master > /dev/null
    test "$(tail -n 1 "$P/with@master/page")" = served
    test ! -s "$P/alone@master/page"
    test "$(cat "$P/alone@master/interfaces")" -eq 1
  )sh"));
}

TEST_CASE("two jobs that read one input ask the daemon for its bytes once", "[semantics]") {
  Mounted mounted;
  REQUIRE_SH(mounted, "pid=" + std::to_string(mounted.pid()) + "\n" + with_pipelines(R"sh(
    answered() { sed -n 's/^wchar: //p' "/proc/$pid/io"; } # what READ is answered with is in it
    head -c 30000000 /dev/urandom > "$T/big"; cp "$T/big" "$P/data@master/big"; commit data@master
    pipeline first '/bin/busybox md5sum /pfs/data/big > /pfs/out/sum'
    jobs_are 1 success
    before=$(answered)
    pipeline second '/bin/busybox md5sum /pfs/data/big > /pfs/out/sum'
    jobs_are 2 success
    test "$(cat "$P/second@master/sum")" = "$(cat "$P/first@master/sum")"
    test $(($(answered) - before)) -lt 10000000
  )sh"));
}

TEST_CASE("a job's DL and UL are the bytes that its commands read and wrote", "[semantics]") {
  Mounted mounted;
  REQUIRE_SH(mounted, with_pipelines(R"sh(
    of() { pfs inspect job "$(newest_job)" -o json | sed -n "s/.*\"$1\": *\([0-9]*\).*/\1/p"; }
    head -c 30000000 /dev/urandom > "$P/data@master/big"; commit data@master
    pipeline peek '/bin/busybox dd if=/pfs/data/big of=/pfs/out/piece bs=1000 count=1000 skip=9000 2> /dev/null'
    jobs_are 1 success
    test "$(of downloaded_bytes)" -ge 1000000
    test "$(of downloaded_bytes)" -lt 5000000    # the kernel reads a little ahead
    test "$(of uploaded_bytes)" -eq 1000000
  )sh"));
}

TEST_CASE("a person has a shell in a datum's place, with its view and variables, and it is gone afterwards", "[semantics]") {
  Mounted mounted;
  REQUIRE_SH(mounted, with_pipelines(R"sh(
    put f hello
    pipeline look 'cp /pfs/data/f /pfs/out/f'
    jobs_are 1 success
    pfs debug datum "$(newest_job)" /f -- sh -c 'cat "$data"; echo "$PACH_JOB_ID"; echo x > /pfs/out/x' < /dev/null > "$T/said"
    test "$(cat "$T/said")" = "hello
$(newest_job)"
    test "$(ls "$P/look@master")" = f
    if pfs debug datum "$(newest_job)" /none -- sh < /dev/null 2> "$T/refused"; then exit 1; fi
    grep -q 'no datum /none in its input' "$T/refused"
  )sh"));
}
