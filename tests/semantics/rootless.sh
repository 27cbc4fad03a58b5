#!/bin/sh
# Pipelines of an ordinary user: whom /pfs belongs to in containers of podman without root, and what is said where the machine
# does not let them enter. rootless.sh DIRECTORY_OF_BINARIES; takes root, podman and uidmap.
set -eu
bin=$1
. "$(dirname "$0")/visitor.sh"
if [ "${2:-}" = "" ]; then
  [ "$(id -u)" -eq 0 ] || { echo "skipped: an ordinary user is made by root"; exit 77; }
  [ -e /dev/fuse ] || { echo "skipped: no /dev/fuse"; exit 77; }
  visitors_have_containers || exit 77
  place=$(mktemp -d "${TMPDIR:-/tmp}/pfs-rootless-XXXXXX")
  trap 'rm -rf "$place"' EXIT
  chmod 755 "$place"
  in_namespaces "$0" "$bin" "$place"
  exit 0
fi

make_visitor "$2"
cd /
home=$2/home
mount=$home/pfs
image=localhost/pfs-test-users:1
fail() {
  echo "rootless: $*" >&2
  pfs list job >&2 || true
  cat "$home/log" >&2
  exit 1
}
pfs() { visitor env PFS_ADDRESS="unix:$home/pfsd.sock" "$bin/pfs" "$@"; }
start() { # whatever this user's podman makes of ids by itself
  visitor env PODMAN_USERNS=keep-id "$bin/pfsd" --store "$home/store" --mount "$mount" --socket "$home/pfsd.sock" >> "$home/log" 2>&1 &
  shell=$! # which waits for pfsd
  until pfs status > /dev/null 2>&1; do
    kill -0 "$shell" || fail "pfsd does not start"
    sleep 0.05
  done
}
stop() {
  kill "$(cut -d ' ' -f 1 "$home/store/LOCK")"
  wait "$shell" || fail "pfsd ends with status $?"
}
await() { # SECONDS COMMAND...: until it succeeds
  left=$(($1 * 10))
  shift
  until "$@"; do
    [ "$left" -gt 0 ] || fail "not in time: $*"
    left=$((left - 1))
    sleep 0.1
  done
}
# The words of the pipeline's jobs, and of why they wait.
says() { # PIPELINE WORDS
  pfs list job --pipeline "$1" -o json | grep -qF -- "$2"
}
pipeline() { # NAME USER: whose output says whom things belong to
  cat > "$home/$1.json" <<SPEC
{"pipeline": {"name": "$1"}, "input": {"pfs": {"repo": "data", "glob": "/*"}},
 "transform": {"image": "$image", "user": "$2", "cmd": ["sh"],
  "stdin": ["set -e", "id -u > /pfs/out/id", "stat -c %u /pfs/data/file /pfs/out /pfs/out/id > /pfs/out/owners",
            "id -g > /pfs/out/group", "stat -c %g /pfs/data/file /pfs/out /pfs/out/id > /pfs/out/groups",
            "cp /pfs/data/file /pfs/out/copy", "echo more >> /pfs/data/file", "mkdir /pfs/out/made", "rmdir /pfs/out/made"]}}
SPEC
  pfs create pipeline -f "$home/$1.json" > /dev/null
}
check_output() { # PIPELINE UID GID
  out=$mount/$1@master
  await 60 says "$1" '"success"'
  [ "$(visitor cat "$out/id")" = "$2" ] || fail "$1 ran as $(visitor cat "$out/id")"
  [ "$(visitor sort -u "$out/owners")" = "$2" ] || fail "of $1, /pfs belongs to $(visitor cat "$out/owners")"
  [ "$(visitor cat "$out/group")" = "$3" ] || fail "$1 ran as group $(visitor cat "$out/group")"
  [ "$(visitor sort -u "$out/groups")" = "$3" ] || fail "of $1, /pfs belongs to group $(visitor cat "$out/groups")"
  [ "$(visitor cat "$out/copy")" = text ] || fail "$1 has not read its input"
  [ "$(visitor stat -c %U "$out/copy")" = visitor ] || fail "what $1 has put out belongs to $(visitor stat -c %U "$out/copy")"
}

root=$home/image
visitor mkdir -p "$mount" "$root/bin" "$root/etc" "$root/tmp" "$root/pfs"
visitor cp "$(command -v busybox)" "$root/bin/busybox"
for name in sh id stat cp mkdir rmdir; do visitor ln -s busybox "$root/bin/$name"; done
printf 'root:x:0:0::/:/bin/sh\napp:x:1000:0::/:/bin/sh\nadmin:x:0:7::/:/bin/sh\n' | visitor tee "$root/etc/passwd" > /dev/null
visitor tar -C "$root" -c . | visitor podman import --quiet - "$image" > "$home/log" 2>&1

# a podman that began before there was a mount, on a machine without systemd: it does not see it, and what mends that is said
start
visitor mkdir "$mount/data@master"
echo text | visitor tee "$mount/data@master/file" > /dev/null
# nobody but the owner may read it: an input's owner is the program
visitor chmod 600 "$mount/data@master/file"
pipeline plain root
await 60 says plain 'mount --make-rshared /'
stop
visitor podman system migrate
mount --make-rshared /

# the container's root is the user, and needs nothing of root's
start
check_output plain 0 0

# another user of the container is somebody else to the machine: the job waits, and says for what
pipeline other app
pipeline mixed admin
await 60 says other 'user_allow_other'
await 60 says other '1000:0'
await 60 says mixed 'user_allow_other'
pipeline beyond 4000000
await 60 says beyond '/etc/subuid'
pfs delete pipeline beyond > /dev/null

# root has shared mounts: it goes on
stop
echo user_allow_other >> /etc/fuse.conf
start
check_output other 1000 0
check_output mixed 0 7
stop

# no container is left
[ -z "$(visitor podman ps --all --quiet)" ] || fail "containers are left: $(visitor podman ps --all)"

# what a machine lacks is named: with the package, or the file
bare=$home/bare
visitor mkdir "$bare"
for program in podman runc; do
  printf '#!/bin/sh\n' | visitor tee "$bare/$program" > /dev/null
  visitor chmod 755 "$bare/$program"
done
sed -i /^visitor:/d /etc/subuid /etc/subgid
doctor() {
  visitor env PATH="$bare" PFS_ADDRESS="unix:$home/pfsd.sock" "$bin/pfs" doctor --store "$home/store" || true
}
doctor > "$home/said"
for words in 'apt-get install uidmap' 'apt-get install slirp4netns' '/etc/subuid' '/etc/subgid' 'usermod --add-subgids '; do
  grep -qF -- "$words" "$home/said" || fail "doctor does not say '$words': $(cat "$home/said")"
done
grep -q "^error.*newuidmap" "$home/said" || fail "that podman cannot run is no error: $(cat "$home/said")"
echo "rootless: everything as it should be"
