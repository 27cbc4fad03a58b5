#!/bin/sh
# Installs what pfs needs to build, run and be tested, from Debian packages.
# Usage: scripts/install-deps.sh [--build|--run]   (default: everything, tests and benchmarks too)
# Idempotent: asks the package database first and calls apt-get only for what is missing.
# Runs as root, or as a user who has sudo.
set -eu

build="build-essential cmake ninja-build pkg-config
  libfuse3-dev librocksdb-dev libzstd-dev libboost-filesystem-dev libspdlog-dev libfmt-dev libcli11-dev
  libcurl4-openssl-dev libgrpc++-dev libprotobuf-dev protobuf-compiler protobuf-compiler-grpc
  libssl-dev libxxhash-dev nlohmann-json3-dev libpcre2-dev libyaml-dev"
run="fuse3 podman runc busybox-static libpng-dev libjpeg62-turbo-dev ca-certificates"
test="catch2 clang clang-format clang-tidy libclang-rt-14-dev python3 attr rsync sqlite3 git procps psmisc openssl"

case "${1:-}" in
  "") wanted="$build $run $test" ;;
  --build) wanted="$build" ;;
  --run) wanted="$build $run" ;;
  *) echo "usage: $0 [--build|--run]" >&2; exit 2 ;;
esac

[ -e /etc/debian_version ] || {
  echo "install-deps: this script knows Debian only; install these by hand: $wanted" >&2
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
  echo "install-deps: missing packages:$missing; become root or install sudo, then run this again" >&2
  exit 1
fi

as_root apt-get update -q
# shellcheck disable=SC2086 # a list of words
as_root apt-get install -y -q --no-install-recommends $missing
