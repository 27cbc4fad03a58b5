#!/bin/sh
# From nothing to the running product: installs what is missing, builds, starts pfsd and returns when it serves.
# Usage: scripts/run.sh          start (says so when it is running already)
#        scripts/run.sh --stop   finish what is open, unmount and end
#
# As root it serves /pfs from /var/lib/pfs/store, as the service does; as a user ~/pfs from the directories of the XDG
# specification. Elsewhere: set PFS_STORE, PFS_MOUNT, PFS_SOCKET, in the environment or behind `make run`.
#
# On a new store it ends with the example of the README, examples/edges, run in containers; PFS_EXAMPLE=no leaves that out.
set -eu
cd "$(dirname "$0")/.."

if [ "$(id -u)" -eq 0 ]; then
  store=/var/lib/pfs/store
  # a store may be the directory itself; inside of it nobody shall make another
  [ ! -e /var/lib/pfs/FORMAT ] || store=/var/lib/pfs
  store=${PFS_STORE:-$store}
  mount=${PFS_MOUNT:-/pfs}
  socket=${PFS_SOCKET:-/run/pfs/pfsd.sock}
else
  store=${PFS_STORE:-${XDG_DATA_HOME:-$HOME/.local/share}/pfs}
  mount=${PFS_MOUNT:-$HOME/pfs}
  socket=${PFS_SOCKET:-${XDG_RUNTIME_DIR:-$HOME/.cache}/pfs/pfsd.sock}
fi

# for who reads the hints: what else to write behind `make stop`
elsewhere=
[ -z "${PFS_STORE:-}" ] || elsewhere=" PFS_STORE=$store"

# pfsd holds a lock on its store as long as it lives; the file says which process it is.
running() {
  [ -e "$store/LOCK" ] && ! flock -n "$store/LOCK" true && read -r pid _ <"$store/LOCK"
}

hints() {
  cat <<HINTS

  files   $mount
  store   $store
  log     $store/pfsd.log
  stop    make stop$elsewhere

Try this:
  export PATH="$PWD/build/bin:\$PATH"
HINTS
  [ "$socket" = /run/pfs/pfsd.sock ] || echo "  export PFS_ADDRESS=unix:$socket"
  [ "$mount" = /pfs ] || echo "  export PFS_MOUNT=$mount"
  cat <<HINTS
  mkdir -p $mount/hello@master
  cp README.md $mount/hello@master/
  echo "the first file" > $mount/hello@master/.pfs/commit
  pfs list commit hello@master
  pfs get file hello@master:/README.md
HINTS
}

# Pictures, by cp, through a pipeline in real containers. What it cannot do here is said, and pfsd runs all the same.
example() {
  [ "${PFS_EXAMPLE:-yes}" != no ] && [ -z "$(ls "$mount")" ] || return 0
  echo "a new store: examples/edges/run.sh shows what pipelines do (PFS_EXAMPLE=no leaves it out)"
  PFS_MOUNT=$mount PFS_ADDRESS=unix:$socket examples/edges/run.sh && return 0
  echo "run: the example did not get through; build/bin/pfs doctor says what is missing for containers" >&2
}

case "${1:-}" in
  "") ;;
  --stop)
    running || { echo "pfsd is not running"; exit 0; }
    kill "$pid"
    # it finishes open commits first, and that takes as long as they need
    while running; do sleep 0.2; done
    echo "pfsd has stopped"
    exit 0
    ;;
  *) echo "usage: $0 [--stop]" >&2; exit 2 ;;
esac

if running; then
  echo "pfsd is running already (process $pid)"
  hints
  exit 0
fi

scripts/install-deps.sh --run
make --no-print-directory release

[ -e /dev/fuse ] || {
  echo "run: /dev/fuse is missing: load the module (modprobe fuse), or give the container --device /dev/fuse" >&2
  exit 1
}
# pfsd makes the store, which only its user may read
mkdir -p "$(dirname "$store")" "$(dirname "$socket")"
# fails on a mount that a killed daemon left behind, which pfsd knows how to take away
mkdir -p "$mount" 2>/dev/null || true

build/bin/pfsd --store "$store" --mount "$mount" --socket "$socket" --daemonize
running
echo "pfsd is running (process $pid)"
example
hints
