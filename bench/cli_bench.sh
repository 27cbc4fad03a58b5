#!/bin/sh
# What a command costs, the whole process of it, each row the median of 21 runs beside something measured in the same run.
# Usage: cli_bench.sh DIRECTORY_OF_PFS_AND_PFSD   (needs /dev/fuse and git; PFS_BENCH_COMMITS and _BRANCHES: 1000 each)
set -eu
bin=$1
commits=${PFS_BENCH_COMMITS:-1000}
branches=${PFS_BENCH_BRANCHES:-1000}
. "$(dirname "$0")/cli/served.sh"
median() { # of 21 runs, in hundredths of a millisecond
  for run in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21; do
    begin=$(now)
    "$@" > /dev/null
    echo $((($(now) - begin) / 10000))
  done | sort -n | sed -n 11p
}
# what the clock itself costs: two processes of date
clock=$(median true)
row() { # name, target in ms, command
  name=$1
  target=$2
  shift 2
  awk -v name="$name" -v t="$(median "$@")" -v c="$clock" -v g="$git" -v target="$target" 'BEGIN {
    ms = (t - c) / 100; if (ms < 0.01) ms = 0.01
    printf "%-48s | %8.1f ms | git log: %6.1f ms | %7.1f | <= %2d ms | %s\n", name, ms, g, ms / g, target, ms <= target ? "ok" : "short" }'
}

# beside it: a program of the same kind, on a history of the same length
git init -q "$work/git"
i=0
while [ $i -lt "$commits" ]; do
  i=$((i + 1))
  printf 'commit refs/heads/staging\ncommitter a <a@b> %s +0000\ndata 1\nx\n' "$i"
done | git -C "$work/git" fast-import --quiet
git=$(awk -v t="$(median git -C "$work/git" log -n 20 staging)" -v c="$clock" 'BEGIN { ms = (t - c) / 100; print ms < 0.01 ? 0.01 : ms }')

printf '%-48s | %11s | %-18s | %7s | %-8s |\n' row ours "compared with" ratio target
pfs create repo data
pfs create branch data@master
echo 1 | pfs put file data@staging:/f -f -
row "pfs list branch data" 15 pfs list branch data
i=1
while [ $i -lt "$commits" ]; do
  i=$((i + 1))
  pfs start commit data@staging > /dev/null
  pfs finish commit data@staging
done
i=2
while [ $i -lt "$branches" ]; do
  i=$((i + 1))
  pfs create branch "data@b$i" --head staging
done
row "list branch, of $branches" 30 pfs list branch data
row "list commit -n 20, of $commits" 30 pfs list commit data@staging -n 20
row "inspect commit staging^$((commits * 9 / 10))" 30 pfs inspect commit "data@staging^$((commits * 9 / 10))"
