#!/bin/sh
# A registry of images on a free port of 127.0.0.1 that knows alice, whose password is wonderland: Debian's docker-registry, which is
# fetched once and not installed (installed, it would listen on the network by itself).
# Usage: registry.sh fetch              as scripts/install-deps.sh does
#        registry.sh start DIRECTORY    leaves there: address, and a registries.conf(5) by which podman speaks http to it
#        registry.sh stop DIRECTORY
set -eu
verb=$1
directory=${2:-}

if [ "$verb" = stop ]; then
  read -r pid < "$directory/registry.pid"
  kill "$pid"
  exit 0
fi

program=$(command -v docker-registry || true)
if [ -z "$program" ]; then
  cache=${XDG_CACHE_HOME:-${HOME:-/tmp}/.cache}/pfs/docker-registry
  program=$cache/docker-registry
  if [ ! -x "$program" ]; then
    work=$(mktemp -d)
    trap 'rm -rf "$work"' EXIT
    # root's apt fetches as the user _apt, who has to write into the directory
    [ "$(id -u)" -ne 0 ] || chown _apt "$work"
    fetch() { (cd "$work" && apt-get download -q -q docker-registry); }
    if ! fetch; then
      [ "$(id -u)" -ne 0 ] || apt-get update -q -q
      fetch
    fi
    dpkg-deb --fsys-tarfile "$work"/*.deb | tar -x -C "$work" ./usr/bin/docker-registry
    mkdir -p "$cache"
    mv "$work/usr/bin/docker-registry" "$program"
  fi
fi

[ "$verb" = start ] || exit 0

port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
# the registry knows bcrypt alone
python3 -W ignore -c 'import crypt; print("alice:" + crypt.crypt("wonderland", crypt.mksalt(crypt.METHOD_BLOWFISH, rounds=16)))' \
  > "$directory/htpasswd"
cat > "$directory/config.yml" << CONFIG
version: 0.1
log: { level: error, accesslog: { disabled: true } }
storage: { filesystem: { rootdirectory: $directory/images } }
http: { addr: "127.0.0.1:$port" }
auth: { htpasswd: { realm: pfs, path: $directory/htpasswd } }
CONFIG
printf '[[registry]]\nlocation = "127.0.0.1:%s"\ninsecure = true\n' "$port" > "$directory/registries.conf"
echo "127.0.0.1:$port" > "$directory/address"
"$program" serve "$directory/config.yml" > "$directory/registry.log" 2>&1 < /dev/null &
pid=$!
echo "$pid" > "$directory/registry.pid"
for _ in $(seq 100); do
  ! python3 -c "import socket; socket.create_connection(('127.0.0.1', $port), 1)" 2> /dev/null || exit 0
  kill -0 "$pid" || break
  sleep 0.1
done
cat "$directory/registry.log" >&2
exit 1
