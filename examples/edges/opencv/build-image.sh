#!/bin/sh
# Makes the image localhost/pfs-edges-opencv:1: Debian with python3-opencv, from the packages of this machine's sources, and edges.py.
# Usage: build-image.sh
# Takes minutes and about a gigabyte; does nothing when the image is there and was made from these files.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
image=localhost/pfs-edges-opencv:1

digest=$(cd "$here" && cat edges.py build-image.sh | sha256sum | cut -d ' ' -f 1)
made_from=$(podman image inspect --format '{{index .Config.Labels "pfs.sources"}}' "$image" 2>/dev/null || true)
[ "$made_from" != "$digest" ] || exit 0

command -v mmdebstrap >/dev/null || {
  echo "build-image: mmdebstrap is missing; install it" >&2
  exit 1
}
release=$(. /etc/os-release && echo "$VERSION_CODENAME")
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
[ "$(id -u)" -ne 0 ] || chmod 755 "$root" # apt reads the file as another user
mmdebstrap --quiet --variant=minbase --include=python3-opencv --dpkgopt='path-exclude=/usr/share/doc/*' \
  --customize-hook="copy-in '$here/edges.py' /" --customize-hook='chroot "$1" chmod 755 /edges.py' \
  --customize-hook='mkdir "$1/pfs"' "$release" "$root/image.tar"
podman import --quiet --change "LABEL pfs.sources=$digest" --change 'ENV PATH=/usr/sbin:/usr/bin:/sbin:/bin' \
  "$root/image.tar" "$image" >/dev/null
echo "made the image $image"
