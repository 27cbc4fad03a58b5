#!/bin/sh
# Installs what the store is measured against, from Debian packages; nothing of it is needed to build, run or test pfs.
# Usage: bench/store/install-peers.sh
# Idempotent: asks the package database first. Runs as root, or as a user who has sudo.
set -eu

# fuse3 and pyfuse3: `restic mount` and `borg mount` are read from
wanted="python3 git restic borgbackup ostree btrfs-progs fuse3 python3-pyfuse3"

[ -e /etc/debian_version ] || {
  echo "install-peers: this script knows Debian only; install these by hand: $wanted" >&2
  exit 1
}

missing=""
for package in $wanted; do
  status=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)
  [ "$status" = installed ] || missing="$missing $package"
done
[ -n "$missing" ] || exit 0

if [ "$(id -u)" -eq 0 ]; then
  as_root() { env DEBIAN_FRONTEND=noninteractive "$@"; }
elif command -v sudo >/dev/null 2>&1; then
  as_root() { sudo env DEBIAN_FRONTEND=noninteractive "$@"; }
else
  echo "install-peers: missing packages:$missing; become root or install sudo, then run this again" >&2
  exit 1
fi

as_root apt-get update -q
# shellcheck disable=SC2086 # a list of words
as_root apt-get install -y -q --no-install-recommends $missing
