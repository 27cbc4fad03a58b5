#!/bin/sh
# The story of the README on a running pfsd: pictures are copied into /pfs/images@staging, HEAD of images@master is moved
# there, and their edges appear in /pfs/edges@master, then a montage of all of them in /pfs/montage@master. With cp and ln alone;
# every result is checked.
#
# Usage: run.sh            from nothing to the results
#        run.sh --opencv   the same with python3-opencv, whose image takes minutes to make; needs mmdebstrap
#        run.sh --clean    takes away what it made: the pipelines edges and montage, and the repo images
#
# PFS_MOUNT is where pfs is mounted (default /pfs), PFS_ADDRESS how `pfs` reaches pfsd, PFS_PICTURES where the pictures are
# kept (default ~/.cache/pfs/pictures).
set -eu
here=$(cd "$(dirname "$0")" && pwd)
mount=${PFS_MOUNT:-/pfs}
pictures=${PFS_PICTURES:-${XDG_CACHE_HOME:-$HOME/.cache}/pfs/pictures}
PATH=$PATH:$here/../../build/bin
patience=120 # seconds until a job must be done

fail() {
  echo "edges: $*" >&2
  exit 1
}

if [ "${1:-}" = --clean ]; then
  for pipeline in montage edges; do pfs delete pipeline "$pipeline" --yes || true; done
  pfs delete repo images --yes || true
  exit 0
fi
spec=$here/edges.json
case "${1:-}" in
  "") ;;
  --opencv) spec=$here/opencv/edges.json ;;
  *) echo "usage: run.sh [--opencv|--clean]" >&2 && exit 2 ;;
esac

[ -d "$mount/.pfs" ] || fail "no pfs is mounted at $mount; start it with make run, or set PFS_MOUNT"
[ ! -e "$mount/images@staging" ] || fail "there is an images@staging already; run.sh --clean takes it away"

# The size of a PNG, from its header: a signature of 8 bytes, the length and the name of the first chunk, then 2 numbers.
png_size() {
  [ "$(head -c 4 "$1" | tail -c 3)" = PNG ] || return 1
  od -A n -t u1 -j 16 -N 8 "$1" | awk '{ print ($1 * 256 + $2) * 65536 + $3 * 256 + $4, ($5 * 256 + $6) * 65536 + $7 * 256 + $8 }'
}

await() { # PIPELINE FILE
  waited=0
  until [ -e "$2" ]; do
    [ "$waited" -lt $((patience * 10)) ] || { pfs list job || true; pfs logs -p "$1" || true; fail "no $2"; }
    waited=$((waited + 1))
    sleep 0.1
  done
}

# Waits for the edges of the pictures named, and compares their sizes with the pictures'.
expect_edges() {
  for name in "$@"; do
    made=$mount/edges@master/${name%.*}.png
    await edges "$made"
    expected=$(sed -n "s/^$name  *//p" "$here/pictures.txt")
    size=$(png_size "$made") || fail "$made is no PNG"
    [ "$size" = "$expected" ] || fail "$made is $size, not $expected"
    echo "$made: $size"
  done
}

# The newest job's column PROGRESS without its spaces: processed+skipped/total.
expect_progress() { # PIPELINE PROGRESS
  newest=$(pfs list job --pipeline "$1" | sed -n 2p)
  echo "$newest" | tr -d ' ' | grep -qF "$2" || fail "expected a job with $2: $newest"
  echo "$newest"
}

"$here/build-image.sh"
[ "${1:-}" != --opencv ] || "$here/opencv/build-image.sh"
"$here/pictures.sh" "$pictures"

names=$(sed -n 's/^\([^# ][^ ]*\) .*/\1/p' "$here/pictures.txt")
last=$(echo "$names" | tail -n 1)
first=$(echo "$names" | sed '$d')
count=$(echo "$first" | wc -l)

mkdir "$mount/images@staging"
pfs create pipeline -f "$spec"

for name in $first; do cp "$pictures/$name" "$mount/images@staging/"; done
ln -s images@staging "$mount/images@master"
# shellcheck disable=SC2086 # a list of words
expect_edges $first
expect_progress edges "$count+0/$count"

cp "$pictures/$last" "$mount/images@staging/"
ln -s images@staging "$mount/images@master"
expect_edges "$last"
expect_progress edges "1+$count/$((count + 1))"

# all pictures and all edges, side by side in rows: a square, or nearly
pfs create pipeline -f "$here/montage.json"
made=$mount/montage@master/montage.png
await montage "$made"
expect_progress montage "1+0/1"
size=$(png_size "$made") || fail "$made is no PNG"
columns=$(awk -v tiles=$((2 * (count + 1))) 'BEGIN { while (n * n < tiles) ++n; print n }')
rows=$(((2 * (count + 1) + columns - 1) / columns))
[ "$size" = "$((columns * 312)) $((rows * 312))" ] || fail "$made is $size, and not of $columns times $rows pictures"
echo "$made: $size"
echo "edges: everything as it should be"
