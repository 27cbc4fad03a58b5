#!/bin/sh
# Makes the image localhost/pfs-edges:1: the edge filter and the montage, linked statically, and busybox for the rest.
# Usage: build-image.sh
# Does nothing when the image is there and was made from these sources.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
image=localhost/pfs-edges:1
sources="edges.cc canny.cc canny.h montage.cc picture.cc picture.h build-image.sh"

digest=$(cd "$here" && cat $sources | sha256sum | cut -d ' ' -f 1)
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
compile() {
  program=$1
  shift
  (cd "$here" && ${CXX:-c++} -std=c++20 -O2 -Wall -Wextra -static -s -o "$root/$program" "$@" -lpng -ljpeg -lz -lm)
}
compile edges edges.cc canny.cc picture.cc
compile montage montage.cc picture.cc
cp "$busybox" "$root/bin/busybox"
for name in sh ls cat cp mv rm ln mkdir stat sleep env find sort xargs; do ln -s busybox "$root/bin/$name"; done
printf 'root:x:0:0::/:/bin/sh\nnobody:x:65534:65534::/:/bin/sh\n' >"$root/etc/passwd"

tar -C "$root" --owner=0 --group=0 --numeric-owner -c . |
  podman import --quiet --change "LABEL pfs.sources=$digest" --change 'CMD ["/edges"]' - "$image" >/dev/null
echo "made the image $image"
