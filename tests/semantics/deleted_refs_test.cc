// Repos and commits that are deleted, and commits that are waited for, where real pipelines read and write them.
#include <catch2/catch.hpp>

#include "semantics/pipeline_words.h"

using namespace pfs::test;

TEST_CASE("flush commit lists what jobs made of a commit, and fails where one failed", "[semantics]") {
  Mounted mounted;
  REQUIRE_SH(mounted, with_pipelines(R"sh(
    pipeline copy 'cat /pfs/data/* > /pfs/out/all; case $(cat /pfs/data/*) in bad) exit 3;; esac'
    put f good
    pfs flush commit data@master > flushed
    test "$(wc -l < flushed)" -eq 2
    grep -q "$(head_of copy@master)" flushed
    test "$(pfs wait commit data@master -r copy | wc -l)" -eq 2
    test "$(pfs wait commit data@master -r data | wc -l)" -eq 1
    put f bad
    if pfs flush commit data@master > flushed 2> said; then exit 1; else test $? -eq 1; fi
    grep -q failure said
  )sh"));
}

TEST_CASE("a repo that a pipeline reads stays; the output repo of a pipeline that nobody reads can go", "[semantics]") {
  Mounted mounted;
  REQUIRE_SH(mounted, with_pipelines(R"sh(
    pipeline copy 'cat /pfs/data/* > /pfs/out/all'
    put f 1; jobs_are 1 success
    cat "$P/copy@master/all" > /dev/null
    if pfs delete repo data 2> said; then exit 1; fi
    grep -q 'pipeline copy' said
    if pfs delete branch copy@master 2> said; then exit 1; fi
    pfs delete repo copy
    test ! -e "$P/copy@master"
    if ls "$P" | grep -q copy; then exit 1; fi
    test "$(pfs list repo | awk 'NR > 1 { print $1 }')" = data
    put f 2
    pfs delete pipeline copy
    pfs delete repo data
    test "$(ls "$P" | wc -l)" -eq 0
    test ! -e "$P/data@master"
  )sh"));
}

TEST_CASE("after an input repo was deleted by force the daemon starts, and the pipeline can be deleted", "[semantics]") {
  Mounted mounted;
  REQUIRE_SH(mounted, with_pipelines(R"sh(
    pipeline copy 'cat /pfs/data/* > /pfs/out/all'
    put f 1; jobs_are 1 success
    pfs delete repo data -f
    test ! -e "$P/data@master"
  )sh"));
  REQUIRE(mounted.stop());
  mounted.start();
  REQUIRE_SH(mounted, R"sh(
    pfs list pipeline | grep -q copy
    pfs delete pipeline copy
    if ls "$P" | grep -q copy; then exit 1; fi
  )sh");
}

TEST_CASE("the name of a deleted commit leads nowhere, and what is open of it is read on", "[semantics]") {
  Mounted mounted;
  REQUIRE_SH(mounted, R"sh(
    mkdir "$P/data@master"
    echo 1 > "$P/data@master/f"; pfs finish commit data@master > /dev/null
    echo 2 > "$P/data@master/f"; pfs finish commit data@master > /dev/null
    last=$(readlink "$P/.pfs/heads/data@master"); last=${last##*/}
    test "$(cat "$P/$last/f")" = 2
    exec 3< "$P/$last/f"
    pfs delete commit "$last"
    test "$(cat <&3)" = 2
    if cat "$P/$last/f" 2> /dev/null; then exit 1; fi
    if test -e "$P/$last"; then exit 1; fi
    first=$(readlink "$P/.pfs/heads/data@master"); first=${first##*/}
    test "$(cat "$P/$first/f")" = 1
    pfs delete repo data
    if test -e "$P/$first/f"; then exit 1; fi
  )sh");
}

TEST_CASE("a deleted commit goes with the commits and the jobs that were made of it", "[semantics]") {
  Mounted mounted;
  REQUIRE_SH(mounted, with_pipelines(R"sh(
    pipeline copy 'cat /pfs/data/* > /pfs/out/all'
    put f 1; jobs_are 1 success
    first=$(head_of data@master); made=$(head_of copy@master)
    put f 2; jobs_are 2 success
    test "$(cat "$P/copy@master/all")" = 2
    if pfs delete commit copy@master 2> said; then exit 1; fi
    grep -q "data@$(head_of data@master)" said
    pfs delete commit data@master
    test "$(head_of data@master)" = "$first"
    test "$(head_of copy@master)" = "$made"
    test "$(cat "$P/data@master/f")" = 1
    test "$(cat "$P/copy@master/all")" = 1
    jobs_are 1 success
    put f 3; jobs_are 2 success
    test "$(cat "$P/copy@master/all")" = 3
    test "$(pfs list commit copy | tail -n +2 | wc -l)" -eq 2
  )sh"));
}
