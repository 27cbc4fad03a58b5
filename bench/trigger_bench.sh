#!/bin/sh
# What pipelines cost, from a HEAD that moves to a finished output commit; each row against a target, two of them against
# `podman run` of the same run.
# Usage: trigger_bench.sh DIRECTORY_OF_PFS_AND_PFSD [SCALE]   (needs /dev/fuse and podman; about 15 GiB in $TMPDIR)
# SCALE divides the numbers of files, datums and jobs and the big file's size, to see that the rows run.
set -eu
bin=$1
scale=${2:-1}
work=$(mktemp -d "${TMPDIR:-/tmp}/pfs-bench-XXXXXX")
mnt=$work/mnt
mkdir "$mnt"
export PATH="$bin:$PATH" PFS_ADDRESS="unix:$work/pfsd.sock"
image=localhost/pfs-bench-trigger:1
imported=
pid=

start() {
  pfsd --store "$work/store" --mount "$mnt" --socket "$work/pfsd.sock" > "$work/log" 2>&1 &
  pid=$!
  until pfs status > /dev/null 2>&1; do kill -0 "$pid" || { cat "$work/log" >&2; exit 1; }; sleep 0.01; done
}
stop() {
  kill "$pid" 2> /dev/null || true
  wait "$pid" 2> /dev/null || true
}
clean() {
  stop
  [ -z "$imported" ] || podman rmi -f "$image" > /dev/null 2>&1 || true
  rm -rf "$work"
}
trap clean EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

now() { date +%s%N; }
ms() { echo $((($2 - $1) / 1000000)); }
row() { # name, measured, unit, target or -, its figure: the most that it may be, the least where the target begins with >
  verdict=
  case $4 in
    -) ;;
    '>'*) verdict=$(awk -v a="$2" -v t="$5" 'BEGIN { print (a >= t ? "ok" : "short") }') ;;
    *) verdict=$(awk -v a="$2" -v t="$5" 'BEGIN { print (a <= t ? "ok" : "short") }') ;;
  esac
  printf '%-66s | %10s %-8s | %-18s | %s\n' "$1" "$2" "$3" "$4" "$verdict"
}
commit() { echo > "$mnt/$1/.pfs/commit"; }
newest() { pfs list job -p "$1" -n 1 2> /dev/null | sed -n 2p | cut -d ' ' -f 1; }
done_with() { # waits for the newest job of a pipeline, which is another than $2, to end
  job=$(newest "$1")
  while [ -z "$job" ] || [ "$job" = "$2" ]; do sleep 0.002; job=$(newest "$1"); done
  pfs inspect job "$job" --block | grep -q '^State: success' || { pfs inspect job "$job" >&2; exit 1; }
}
pipeline() { # name, repo, glob, shell command, fields more
  cat > "$work/spec.json" << SPEC
{ "pipeline": { "name": "$1" }, "transform": { "image": "$image", "cmd": ["/busybox", "sh"], "stdin": ["$4"] }, ${5:-}
  "input": { "pfs": { "repo": "$2", "glob": "$3" } } }
SPEC
  pfs create pipeline -f "$work/spec.json"
}
containers_of() { podman ps --filter "label=pfs.pipeline=$1" --quiet | wc -l; }
warm() { until [ "$(containers_of "$1")" -gt 0 ]; do sleep 0.05; done; sleep 0.5; }

start
podman image exists "$image" 2> /dev/null || {
  mkdir "$work/image" && cp "$(command -v busybox)" "$work/image/busybox" &&
    tar -C "$work/image" -c . | podman import -q - "$image" > /dev/null && imported=yes
}
printf '%-66s | %-19s | %-18s |\n' row measured target

# a container of podman itself, with what pfsd found to work here
options=$(pfs doctor 2> /dev/null | grep -o 'runtime [a-z]*, cgroupfs' | sed 's/runtime \([a-z]*\), cgroupfs/--runtime \1 --cgroup-manager cgroupfs/' | head -n 1)
limits=
if pfs doctor 2> /dev/null | grep -q 'with our own limits'; then
  files=$(ulimit -Hn); processes=$(cat /proc/sys/kernel/pid_max)
  limits="--ulimit nofile=$files:$files --ulimit nproc=$processes:$processes"
fi
best=
for i in 1 2 3; do
  begin=$(now)
  # shellcheck disable=SC2086 # words
  podman $options run --rm --network none --log-driver none $limits "$image" /busybox true
  took=$(ms "$begin" "$(now)")
  if [ -z "$best" ] || [ "$took" -lt "$best" ]; then best=$took; fi
done
podman_run=$best
row "podman run of nothing (the best of 3)" "$podman_run" ms - 0

# HEAD moved to user code running: the command says when it runs, on the same clock
mkdir -p "$mnt/head@master"
pipeline first head '/*' '/busybox date +%s%N > /pfs/out/t; /busybox cat /proc/uptime > /pfs/out/uptime'
pipeline cold head '/*' '/busybox cat /proc/uptime > /pfs/out/uptime' '"standby": true,'
warm first
best=
for i in 1 2 3 4 5; do
  last=$(newest first)
  echo $i > "$mnt/head@master/f"
  begin=$(awk '{ print $1 * 1000 }' /proc/uptime)
  commit head@master
  done_with first "$last"
  ran=$(awk '{ print $1 * 1000 }' "$mnt/first@master/uptime")
  took=$(awk -v a="$ran" -v b="$begin" 'BEGIN { print a - b }')
  if [ -z "$best" ] || [ "$took" -lt "$best" ]; then best=$took; fi
done
row "commit asked for to user code running, worker warm (best of 5)" "$best" "ms +-10" "<= 20 ms" 20
until [ "$(containers_of cold)" -eq 0 ]; do sleep 0.1; done
last=$(newest cold)
echo cold > "$mnt/head@master/f"
begin=$(awk '{ print $1 * 1000 }' /proc/uptime)
commit head@master
done_with cold "$last"
ran=$(awk '{ print $1 * 1000 }' "$mnt/cold@master/uptime")
began=$(awk -v a="$ran" -v b="$begin" 'BEGIN { print a - b }')
row "the same, no worker yet" "$began" "ms +-10" "<= podman + 150 ms" $((podman_run + 150))
pfs delete pipeline first; pfs delete pipeline cold

# datums that do nothing
count=$((10000 / scale))
mkdir "$mnt/many@master"
pipeline nothing many '/*' ':'
warm nothing
i=0
while [ $i -lt $count ]; do echo $i > "$mnt/many@master/$i"; i=$((i + 1)); done
last=$(newest nothing)
begin=$(now)
commit many@master
done_with nothing "$last"
took=$(ms "$begin" "$(now)")
row "$count datums that do nothing, one worker" "$took" ms "<= 30 s for 10,000" $((30000 / scale))
row "one of them" "$(awk -v a="$took" -v n=$count 'BEGIN { printf "%.2f", a / n }')" ms "<= 3 ms" 3
pfs delete pipeline nothing

# one datum that writes many files
pipeline writes head '/*' "x=\$(/busybox head -c 4095 /dev/zero | /busybox tr '\\\\000' x); i=0; while test \$i -lt $count; do echo \$x > /pfs/out/\$i; i=\$((i+1)); done"
last=$(newest writes)
done_with writes ""
warm writes
last=$(newest writes)
echo again > "$mnt/head@master/f"
begin=$(now)
commit head@master
done_with writes "$last"
took=$(ms "$begin" "$(now)")
row "$count files of 4 KiB put out by one datum, job end to end" "$((count * 1000 / took))" files/s ">= 5,000 files/s" 5000
pfs delete pipeline writes

# one changed file among many, in directories of 100, each of which is a datum: start to finished output commit
thousand=
for files in 1000 100000 1000000; do
  count=$((files / scale))
  directories=$(((count + 99) / 100))
  mkdir -p "$work/src/first"
  (cd "$work/src/first" && seq 100 | split -l 1 -a 3 -d - f)
  i=1
  while [ $i -lt $directories ]; do cp -r "$work/src/first" "$work/src/$i"; i=$((i + 1)); done
  pfs create repo "in$files"
  pfs put file -r "in$files@master:/" -f "$work/src" > /dev/null
  rm -rf "$work/src"
  pipeline "p$files" "in$files" '/*' ':'
  done_with "p$files" ""
  last=$(newest "p$files")
  begin=$(now)
  echo changed | pfs put file "in$files@master:/first/f050" > /dev/null
  done_with "p$files" "$last"
  took=$(ms "$begin" "$(now)")
  row "job of one changed file in an input of $count" "$took" ms "<= 500 ms" 500
  [ -n "$thousand" ] || thousand=$took
  pfs delete pipeline "p$files"
done
row "the last one as a multiple of the first" "$(awk -v a="$took" -v b="$thousand" 'BEGIN { printf "%.1f", a / (b > 0 ? b : 1) }')" x "<= 2" 2

# a big file of which little is read
mkdir "$mnt/big@master"
head -c $((10737418240 / scale)) /dev/urandom > "$mnt/big@master/big"
commit big@master
answered() { sed -n 's/^wchar: //p' "/proc/$pid/io"; } # what READ is answered with is in it
pipeline peek big '/*' '/busybox dd if=/pfs/big/big bs=1M count=1 skip=7 of=/pfs/out/piece 2> /dev/null'
done_with peek ""
warm peek
before=$(answered)
last=$(newest peek)
echo more >> "$mnt/big@master/big"
begin=$(now)
commit big@master
done_with peek "$last"
row "job over a file of 10 GiB that reads 1 MiB of it" "$(ms "$begin" "$(now)")" ms "<= 1 s" 1000
row "answered to readers meanwhile" "$((($(answered) - before) / 1048576))" MiB "< 32 MiB" 31
pfs delete pipeline peek

# many finished jobs
count=$((10000 / scale))
mkdir -p "$mnt/jobs@master"
pipeline nothing2 jobs '/' ':'
warm nothing2
i=0
while [ $i -lt $count ]; do echo $i > "$mnt/jobs@master/f"; commit jobs@master; i=$((i + 1)); done
until [ "$(pfs list job -p nothing2 --state starting,running,merging 2> /dev/null | tail -n +2 | wc -l)" -eq 0 ]; do sleep 1; done
stop
begin=$(now)
start
row "restart of pfsd with $count finished jobs" "$(ms "$begin" "$(now)")" ms "<= 2 s" 2000
begin=$(now)
pfs list job -n 100 > /dev/null
row "list job, the newest 100" "$(ms "$begin" "$(now)")" ms - 0
begin=$(now)
pfs list job > /dev/null
row "list job, all of them" "$(ms "$begin" "$(now)")" ms "<= 50 ms" 50
