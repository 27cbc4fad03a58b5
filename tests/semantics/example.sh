#!/bin/sh
# Runs an example on a pfsd of its own, and what takes it away: example.sh DIRECTORY_OF_BINARIES SOURCE_DIRECTORY EXAMPLE.
set -eu
bin=$1
example=$2/examples/$3
[ -w /dev/fuse ] || { echo "skipped: no /dev/fuse for this user"; exit 77; }
command -v podman > /dev/null || { echo "skipped: no podman"; exit 77; }
work=$(mktemp -d "${TMPDIR:-/tmp}/pfs-example-XXXXXX")
# the active transaction is in the configuration, and that is not the one of who runs the test
export PATH="$bin:$PATH" PFS_ADDRESS="unix:$work/pfsd.sock" PFS_MOUNT="$work/mnt" PFS_CONFIG="$work/config.json"
mkdir "$work/mnt"

pfsd --store "$work/store" --mount "$work/mnt" --socket "$work/pfsd.sock" > "$work/log" 2>&1 &
pid=$!
clean() {
  kill "$pid" 2> /dev/null || true
  wait "$pid" 2> /dev/null || true
  umount -l "$work/mnt" 2> /dev/null || fusermount3 -uz "$work/mnt" 2> /dev/null || true
  rm -rf "$work"
}
trap clean EXIT
until pfs status > /dev/null 2>&1; do
  kill -0 "$pid" || { cat "$work/log" >&2; exit 1; }
  sleep 0.05
done

"$example/run.sh"
"$example/run.sh" --clean
left=$(pfs list pipeline | tail -n +2; pfs list repo | tail -n +2)
[ -z "$left" ] || { echo "run.sh --clean has left: $left" >&2; exit 1; }
