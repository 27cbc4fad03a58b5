#!/bin/sh
# Types the README's tour, word by word, on a pfsd of its own: tour.sh DIRECTORY_OF_BINARIES SOURCE_DIRECTORY [HOW].
# HOW: whole    both parts, as whoever runs the test, and a daemon that is killed at the end (the default)
#      user     the first part as an ordinary user who has just got an account, with fusermount3; takes root
#      user_pipelines  all of it as such a user, with containers of podman without root; takes root, podman and uidmap
#      busybox  the first part in a container that has nothing but BusyBox, with the mount at /pfs; takes podman
# /pfs is replaced by a mount of the test's own, and the binaries are those given; nothing else.
set -eu
bin=$1
source=$2
how=${3:-whole}

# In namespaces of its own root makes a user, who then types the tour.
case $how in
user | user_pipelines)
  . "$(dirname "$0")/visitor.sh"
  [ "$(id -u)" -eq 0 ] || { echo "skipped: an ordinary user is made by root"; exit 77; }
  [ "$how" = user ] || visitors_have_containers || exit 77
  place=$(mktemp -d "${TMPDIR:-/tmp}/pfs-tour-XXXXXX")
  trap 'rm -rf "$place"' EXIT
  chmod 755 "$place"
  in_namespaces "$0" "$bin" "$source" "as_$how" "$place"
  exit 0
  ;;
as_user | as_user_pipelines)
  . "$(dirname "$0")/visitor.sh"
  make_visitor "$4"
  mount --make-rshared / # as systemd has it: else podman does not see a mount that is made anew
  # fetched once
  cp -r "${XDG_CACHE_HOME:-$HOME/.cache}/pfs/pictures" "$4/home/pictures" 2> /dev/null && chown -R visitor "$4/home/pictures"
  status=0
  visitor env PFS_PICTURES="$4/home/pictures" "$0" "$bin" "$source" "visitor${how#as_user}" || status=$?
  exit $status
  ;;
esac

[ -w /dev/fuse ] || { echo "skipped: no /dev/fuse for this user"; exit 77; }
work=$(mktemp -d "${TMPDIR:-/tmp}/pfs-tour-XXXXXX")
mount=$work/mnt
store=$work/store
socket=$work/pfsd.sock
case $how in
visitor*) # where `make run` has them for an ordinary user
  mount=$HOME/pfs
  store=$HOME/.local/share/pfs
  socket=$HOME/.cache/pfs/pfsd.sock
  mkdir -p "$store" "$(dirname "$socket")"
  ;;
esac
mkdir "$mount"
export PATH="$bin:$PATH" PFS_ADDRESS="unix:$socket" PFS_MOUNT="$mount"

start() {
  pfsd --store "$store" --mount "$mount" --socket "$socket" > "$work/log" 2>&1 &
  pid=$!
  until pfs status > /dev/null 2>&1; do
    kill -0 "$pid" || { cat "$work/log" >&2; exit 1; }
    sleep 0.05
  done
}
clean() {
  kill "$pid" 2> /dev/null || true
  wait "$pid" 2> /dev/null || true
  umount -l "$mount" 2> /dev/null || fusermount3 -uz "$mount" 2> /dev/null || true
  rm -rf "$work"
}
start
trap clean EXIT

cd "$source"
# What stands in blocks of shell between the marks; `parts` is how many of them.
tour() { # parts
  sed -n '/^<!-- tour -->$/,/^<!-- \/tour -->$/p' README.md |
    awk -v parts="$1" '/^```sh$/ { ++part; next } /^```$/ { next } /^<!--/ { next } part <= parts { print }' |
    sed "/^export PATH=/d"
}
[ "$(tour 2 | grep -c .)" -gt "$(($(tour 1 | grep -c .) + 2))" ] && [ "$(tour 1 | grep -c .)" -gt 10 ] ||
  { echo "the README has no tour" >&2; exit 1; }

# What the first part leaves: the HEAD that it has gone back to, and all the others in the log.
check_first_part() {
  [ "$(ls "$mount/data@master")" = README.md ]
  { cat README.md; echo "one more line"; } | cmp - "$mount/data@master/README.md"
  [ "$(grep -c . "$mount/data@master/.pfs/log")" -ge 4 ]
  [ -s "$mount/data@staging/new/date" ]
}

case $how in
  whole | visitor_pipelines)
    tour 2 | sed "s#/pfs/#$mount/#g" > "$work/tour.sh"
    sh -eux "$work/tour.sh"
    # what a container of the user's has put out is the user's
    [ "$how" = whole ] || [ "$(stat -c %U "$mount/edges@master"/*.png | uniq)" = visitor ]
    ;;
  visitor)
    tour 1 | sed "s#/pfs/#$mount/#g" > "$work/tour.sh"
    sh -eux "$work/tour.sh"
    check_first_part
    [ "$(stat -c %U "$mount/data@master" "$mount/data@master/README.md" | uniq)" = visitor ]
    # a container of another user could not enter, and pfsd has said so
    grep -q "user_allow_other" "$work/log"
    ;;
  busybox)
    command -v podman > /dev/null || { echo "skipped: no podman"; exit 77; }
    image=localhost/pfs-tour-busybox:1
    mkdir -p "$work/image/bin" "$work/image/pfs" "$work/image/tmp" "$work/image/source" "$work/home"
    cp "$(command -v busybox)" "$work/image/bin/busybox"
    tar -C "$work/image" -c . | podman import --quiet - "$image" > /dev/null
    # `pfs` is not in the container
    { echo '/bin/busybox --install -s /bin'; tour 1 | sed '/^pfs /d'; } > "$work/tour.sh"
    # what podman asks for by itself needs more rights than a test may have
    least() { printf '%s\n' "$@" | sed 's/unlimited/999999999/' | sort -n | head -n 1; }
    files=$(least "$(bash -c 'ulimit -Hn')" 1048576)
    processes=$(least "$(bash -c 'ulimit -Hu')" "$(cat /proc/sys/kernel/pid_max)")
    podman --runtime "$(command -v runc || command -v crun)" run --rm --network none \
      --ulimit "nofile=$files:$files" --ulimit "nproc=$processes:$processes" \
      -v "$mount:/pfs" -v "$PWD/README.md:/source/README.md:ro" -v "$PWD/LICENSE:/source/LICENSE:ro" \
      -v "$work/tour.sh:/tour.sh:ro" -w /source -e PATH=/bin "$image" /bin/busybox sh -eux /tour.sh
    podman rmi -f "$image" > /dev/null
    check_first_part
    ;;
  *) echo "usage: $0 DIRECTORY_OF_BINARIES SOURCE_DIRECTORY [whole|user|user_pipelines|busybox]" >&2; exit 2 ;;
esac
case $how in visitor | busybox) echo "tour: everything as the README says"; exit 0 ;; esac

# killed in the middle, and started again: nothing is lost, and the pipeline goes on
before=$(ls "$mount/edges@master" "$mount/images@master" "$mount/data@staging")
echo unfinished > "$mount/data@staging/unfinished"
kill -9 "$pid"
wait "$pid" 2> /dev/null || true
start
[ "$(cat "$mount/data@staging/unfinished")" = unfinished ]
rm "$mount/data@staging/unfinished"
[ "$(ls "$mount/edges@master" "$mount/images@master" "$mount/data@staging")" = "$before" ]
pfs list job
examples/edges/run.sh --clean
left=$(pfs list pipeline | tail -n +2)
[ -z "$left" ] || { echo "run.sh --clean has left: $left" >&2; exit 1; }
echo "tour: everything as the README says"
