#!/bin/sh
# The story of the README on a running pfsd: texts are copied into /pfs/texts@master, and /pfs/reduce@master has how often each
# word is in all of them. What comes out is compared with what the shell counts here; the jobs, with what they should be.
#
# Usage: run.sh            from nothing to the results
#        run.sh --clean    takes away what it made: the pipelines map and reduce, and the repo texts
#
# PFS_MOUNT is where pfs is mounted (default /pfs), PFS_ADDRESS how `pfs` reaches pfsd.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
mount=${PFS_MOUNT:-/pfs}
PATH=$PATH:$here/../../build/bin
patience=120 # seconds until jobs must be done
texts=/usr/share/common-licenses # every Debian has these

fail() {
  echo "word_count: $*" >&2
  exit 1
}

case "${1:-}" in
  "") ;;
  --clean)
    for pipeline in reduce map; do pfs delete pipeline "$pipeline" --yes || true; done
    pfs delete repo texts --yes || true
    exit 0
    ;;
  *)
    echo "usage: run.sh [--clean]" >&2
    exit 2
    ;;
esac
[ -d "$mount/.pfs" ] || fail "no pfs is mounted at $mount; start it with make run, or set PFS_MOUNT"
! pfs inspect repo texts > /dev/null 2>&1 || fail "there is a repo texts already; run.sh --clean takes it away"

# All jobs of the two pipelines, oldest first: "map 2+0/2 success".
jobs() {
  pfs list job | awk '$2 == "map" || $2 == "reduce" {
    for (i = 3; $i != "/"; ++i) if (i == NF) next
    line[++count] = $2 " " $(i - 3) "+" $(i - 1) "/" $(i + 1) " " $NF
  } END { while (count > 0) print line[count--] }'
}

# Waits until the jobs are those of the steps before and these, and no others.
expected=
step() { # WHAT JOB...
  what=$1
  shift
  for job in "$@"; do
    expected="$expected${expected:+
}$job success"
  done
  waited=0
  until [ "$(jobs)" = "$expected" ]; do
    [ "$waited" -lt $((patience * 10)) ] && ! jobs | grep -q -e failure -e killed || {
      printf 'expected:\n%s\nthe jobs are:\n' "$expected" >&2
      pfs list job >&2
      pfs logs -p map >&2 || true
      pfs logs -p reduce >&2 || true
      fail "$what"
    }
    waited=$((waited + 1))
    sleep 0.1
  done
  echo "$what: $*"
}

# The same, without pipelines.
words() { # FILE...
  cat "$@" | tr 'A-Z' 'a-z' | tr -c 'a-z' '\n' | grep . | LC_ALL=C sort | uniq -c | awk '{ print $2, $1 }'
}
counted() { # FILE...
  words "$@" > "$work/expected"
  cat "$mount"/reduce@master/* > "$work/counted"
  cmp "$work/expected" "$work/counted" || fail "reduce@master is not what the shell counts in: $*"
}

"$here/build-image.sh"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
letters=$(words "$texts/GPL-2" "$texts/Apache-2.0" | cut -c 1 | sort -u | wc -l)

mkdir "$mount/texts@master"
pfs create pipeline -f "$here/map.json" -f "$here/reduce.json"

cp "$texts/GPL-2" "$texts/Apache-2.0" "$mount/texts@master/"
step "two texts" "map 2+0/2" "reduce $letters+0/$letters"
counted "$texts/GPL-2" "$texts/Apache-2.0"

echo "Bananas and apples, apples and bananas" > "$work/fruit"
cp "$work/fruit" "$mount/texts@master/"
step "one more, with words in a and b alone" "map 1+2/3" "reduce 2+$((letters - 2))/$letters"
counted "$texts/GPL-2" "$texts/Apache-2.0" "$work/fruit"

rm "$mount/texts@master/fruit"
step "without it again, nothing is counted anew" "map 0+2/2" "reduce 0+$letters/$letters"
counted "$texts/GPL-2" "$texts/Apache-2.0"

echo "the most frequent words:"
cat "$mount"/reduce@master/* | sort -k 2 -n -r | head -n 5
