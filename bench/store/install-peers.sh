#!/bin/sh
# Installs what the store is measured against, from Debian packages; nothing of it is needed to build, run or test pfs.
# Usage: bench/store/install-peers.sh
# Idempotent: asks the package database first. Runs as root, or as a user who has sudo.
set -eu

# fuse3 and pyfuse3: `restic mount` and `borg mount` are read from
wanted="python3 git restic borgbackup ostree btrfs-progs fuse3 python3-pyfuse3"

. "$(dirname "$0")/../../scripts/packages.sh"
# shellcheck disable=SC2086 # a list of words
install_missing install-peers $wanted
