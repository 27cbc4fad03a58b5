#!/bin/sh
# Types the README's tour, word by word, on a pfsd of its own: tour.sh DIRECTORY_OF_BINARIES SOURCE_DIRECTORY.
# /pfs is replaced by a mount of the test's own, and the binaries are those given; nothing else.
set -eu
bin=$1
source=$2
[ -w /dev/fuse ] || { echo "skipped: no /dev/fuse for this user"; exit 77; }
work=$(mktemp -d "${TMPDIR:-/tmp}/pfs-tour-XXXXXX")
mount=$work/mnt
mkdir "$mount"
export PATH="$bin:$PATH" PFS_ADDRESS="unix:$work/pfsd.sock" PFS_MOUNT="$mount"

start() {
  pfsd --store "$work/store" --mount "$mount" --socket "$work/pfsd.sock" > "$work/log" 2>&1 &
  pid=$!
  until pfs status > /dev/null 2>&1; do
    kill -0 "$pid" || { cat "$work/log" >&2; exit 1; }
    sleep 0.05
  done
}
clean() {
  kill "$pid" 2> /dev/null || true
  wait "$pid" 2> /dev/null || true
  umount -l "$mount" 2> /dev/null || true
  rm -rf "$work"
}
start
trap clean EXIT

cd "$source"
# what stands in a block of shell between the marks
sed -n '/^<!-- tour -->$/,/^<!-- \/tour -->$/p' README.md | sed -n '/^```sh$/,/^```$/{/^```/d;p}' |
  sed "s#/pfs/#$mount/#g; /^export PATH=/d" > "$work/tour.sh"
[ "$(grep -c . "$work/tour.sh")" -gt 10 ] || { echo "the README has no tour" >&2; exit 1; }
sh -eux "$work/tour.sh"

# killed in the middle, and started again: nothing is lost, and the pipeline goes on
before=$(ls "$mount/edges@master" "$mount/images@master" "$mount/data@staging")
echo unfinished > "$mount/data@staging/unfinished"
kill -9 "$pid"
wait "$pid" 2> /dev/null || true
start
[ "$(cat "$mount/data@staging/unfinished")" = unfinished ]
rm "$mount/data@staging/unfinished"
[ "$(ls "$mount/edges@master" "$mount/images@master" "$mount/data@staging")" = "$before" ]
pfs list job
echo "tour: everything as the README says"
