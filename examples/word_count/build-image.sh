#!/bin/sh
# Makes the image localhost/pfs-word-count:1: the two programs, and busybox to run them.
# Usage: build-image.sh
# Does nothing when the image is there and was made from these files.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
image=localhost/pfs-word-count:1

digest=$(cd "$here" && cat map reduce build-image.sh | sha256sum | cut -d ' ' -f 1)
made_from=$(podman image inspect --format '{{index .Config.Labels "pfs.sources"}}' "$image" 2>/dev/null || true)
[ "$made_from" != "$digest" ] || exit 0

busybox=$(command -v busybox) || {
  echo "build-image: busybox is missing; install busybox-static" >&2
  exit 1
}
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
mkdir -p "$root/bin" "$root/etc" "$root/tmp" "$root/pfs"
chmod 755 "$root"
chmod 1777 "$root/tmp"
cp "$busybox" "$root/bin/busybox"
for name in sh awk cat find ls sort tr; do ln -s busybox "$root/bin/$name"; done
cp "$here/map" "$here/reduce" "$root/"
chmod 755 "$root/map" "$root/reduce"
printf 'root:x:0:0::/:/bin/sh\nnobody:x:65534:65534::/:/bin/sh\n' >"$root/etc/passwd"

tar -C "$root" --owner=0 --group=0 --numeric-owner -c . |
  podman import --quiet --change "LABEL pfs.sources=$digest" --change 'ENV PATH=/bin' - "$image" >/dev/null
echo "made the image $image"
