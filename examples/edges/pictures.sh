#!/bin/sh
# Puts the pictures that the examples' pictures.txt name into a directory, from a Debian package that is fetched once and not
# installed.
# Usage: pictures.sh DIRECTORY
set -eu
here=$(cd "$(dirname "$0")" && pwd)
directory=${1:?usage: pictures.sh DIRECTORY}
package=python3-skimage

names=$(sed -n 's/^\([^# ][^ ]*\) .*/\1/p' "$here"/../*/pictures.txt | sort -u)
missing=
for name in $names; do
  [ -s "$directory/$name" ] || missing=yes
done
[ -n "$missing" ] || exit 0

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# root's apt fetches as the user _apt, who has to write into the directory
[ "$(id -u)" -ne 0 ] || chown _apt "$work"
(cd "$work" && apt-get download -q -q "$package") || {
  echo "pictures: cannot fetch $package; run apt-get update, or put pictures of your own into $directory" >&2
  exit 1
}
dpkg-deb --fsys-tarfile "$work"/*.deb | tar -x -C "$work" --wildcards '*/skimage/data/*.png' '*/skimage/data/*.jpg'
mkdir -p "$directory"
for name in $names; do
  cp "$(find "$work" -path "*/skimage/data/$name")" "$directory/$name"
done
