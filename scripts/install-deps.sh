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
run="fuse3 podman runc uidmap slirp4netns libcurl4 busybox-static libpng-dev libjpeg62-turbo-dev ca-certificates"
test="bash zsh fish catch2 clang clang-format clang-tidy libclang-rt-14-dev lld python3 attr rsync sqlite3 git procps psmisc openssl"

case "${1:-}" in
  "") wanted="$build $run $test" ;;
  --build) wanted="$build" ;;
  --run) wanted="$build $run" ;;
  *) echo "usage: $0 [--build|--run]" >&2; exit 2 ;;
esac

. "$(dirname "$0")/packages.sh"
# shellcheck disable=SC2086 # a list of words
install_missing install-deps $wanted
# what a test runs as its server; installed, it would listen on the network by itself
[ -n "${1:-}" ] || sh "$(dirname "$0")/../tests/semantics/registry.sh" fetch ||
  echo "install-deps: docker-registry cannot be fetched; the test that pulls images from one will fail" >&2
