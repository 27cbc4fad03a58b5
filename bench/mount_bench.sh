#!/bin/sh
# What the mount and the jobs cost, each row against something measured in the same run on the same disk.
# Usage: mount_bench.sh DIRECTORY_OF_PFS_AND_PFSD   (needs /dev/fuse; the rows of jobs need podman; about 4 GiB in $TMPDIR)
set -eu
bin=$1
work=$(mktemp -d "${TMPDIR:-/tmp}/pfs-bench-XXXXXX")
mnt=$work/mnt
mkdir "$mnt" "$work/plain"
export PATH="$bin:$PATH" PFS_ADDRESS="unix:$work/pfsd.sock"

pfsd --store "$work/store" --mount "$mnt" --socket "$work/pfsd.sock" > "$work/log" 2>&1 &
pid=$!
image=localhost/pfs-bench:1
imported=
clean() {
  kill "$pid" 2> /dev/null || true
  wait "$pid" 2> /dev/null || true
  # -f: with the pipeline's container, which pfsd leaves for its next start
  [ -z "$imported" ] || podman rmi -f "$image" > /dev/null 2>&1 || true
  rm -rf "$work"
}
trap clean EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP
until [ -d "$mnt/.pfs" ]; do kill -0 "$pid" || { cat "$work/log" >&2; exit 1; }; sleep 0.05; done

now() { date +%s%N; }
ms() { echo $((($2 - $1) / 1000000)); }
timed() { begin=$(now); "$@" > /dev/null; ms "$begin" "$(now)"; }
commit() { echo > "$mnt/$1/.pfs/commit"; }
row() { # name, ours ms, compared with, its ms, target
  ratio=$(awk -v a="$2" -v b="$4" 'BEGIN { printf "%.2f", a / (b > 0 ? b : 1) }')
  verdict=
  [ "$5" = - ] || verdict=$(awk -v a="$2" -v t="$6" 'BEGIN { print a <= t ? "ok" : "short" }')
  printf '%-44s | %8s ms | %-32s %6s ms | %8s | %-10s | %s\n' "$1" "$2" "$3" "$4" "$ratio" "$5" "$verdict"
}

printf '%-44s | %11s | %-42s | %8s | %-10s |\n' row ours "compared with" ratio target

# 1 GiB, half of it compressible
head -c 536870912 /dev/urandom > "$work/random"
{ cat "$work/random"; head -c 536870912 /dev/zero | tr '\0' 'x'; } > "$work/big"
mkdir "$mnt/data@master"
plain_cp() { cp "$work/big" "$work/plain/big" && sync -f "$work/plain/big"; }
ours_cp() { cp "$work/big" "$mnt/data@master/big" && commit data@master; }
plain=$(timed plain_cp)
row "cp of 1 GiB into a branch, committed" "$(timed ours_cp)" "cp to ext4 and sync:" "$plain" -

# 10,000 small files
mkdir "$work/small"
i=0
while [ $i -lt 10000 ]; do echo "content $i" > "$work/small/$i"; i=$((i + 1)); done
plain_small() { cp -r "$work/small" "$work/plain/small" && sync -f "$work/plain/small"; }
ours_small() { cp -r "$work/small" "$mnt/data@master/small" && commit data@master; }
plain=$(timed plain_small)
row "cp -r of 10,000 files, committed" "$(timed ours_small)" "cp -r to ext4 and sync:" "$plain" -

# what runs when HEAD moves
if podman image exists "$image" 2> /dev/null || {
  mkdir "$work/image" && cp /bin/busybox "$work/image/busybox" && ln -s busybox "$work/image/true" &&
    tar -C "$work/image" -c . | podman import -q - "$image" > /dev/null 2>&1 && imported=yes
}; then
  mkdir "$mnt/in@master" "$mnt/in@staging"
  cat > "$work/spec.json" << SPEC
{ "pipeline": { "name": "nothing" }, "transform": { "image": "localhost/pfs-bench:1", "cmd": ["/true"] },
  "input": { "pfs": { "repo": "in", "glob": "/*" } } }
SPEC
  pfs create pipeline -f "$work/spec.json"
  job() { # files so far
    ln -s in@staging "$mnt/in@master"
    until pfs list job -p nothing 2> /dev/null | sed -n 2p | grep -q success &&
      pfs list job -p nothing | sed -n 2p | tr -d ' ' | grep -q "/$1"; do sleep 0.01; done
  }
  echo 0 > "$mnt/in@staging/0"
  timed job 1 > /dev/null # the container starts
  echo 1 > "$mnt/in@staging/1"
  commit in@staging
  one=$(timed job 2)
  container=$(timed podman ps)
  row "HEAD moved to its job done, container warm" "$one" "podman ps:" "$container" -
  i=2
  while [ $i -lt 502 ]; do echo $i > "$mnt/in@staging/$i"; i=$((i + 1)); done
  commit in@staging
  many=$(timed job 502)
  row "a warm datum that does nothing (of 500)" "$((many / 500))" "HEAD moved to one datum done:" "$one" "<= 10 ms" 10
else
  echo "no podman that can import an image: the rows of jobs are left out" >&2
fi
