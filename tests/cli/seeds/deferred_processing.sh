#!/bin/sh
# Runs every command of a document about deferred processing, in its order and as it is written, through `pachctl`, and
# compares branches, HEADs, jobs and files after each: deferred_processing.sh DIRECTORY_OF_BINARIES DOCUMENT.
# The commands are read out of the document. What it leaves to its reader (files, a pipeline, ten commits) is done here.
# Where podman does not work the pipeline is left out, and said so.
set -eu
bin=$1
document=$2
[ -w /dev/fuse ] || { echo "skipped: no /dev/fuse for this user"; exit 77; }
work=$(mktemp -d "${TMPDIR:-/tmp}/pfs-seed-XXXXXX")
mnt=$work/mnt
mkdir "$mnt"
export PATH="$bin:$PATH" PFS_ADDRESS="unix:$work/pfsd.sock" PFS_CONFIG="$work/config.json"
image=localhost/pfs-seed
imported=

pfsd --store "$work/store" --mount "$mnt" --socket "$work/pfsd.sock" > "$work/log" 2>&1 &
pid=$!
clean() {
  kill "$pid" 2> /dev/null || true
  wait "$pid" 2> /dev/null || true
  umount -l "$mnt" 2> /dev/null || true
  [ -z "$imported" ] || podman rmi -f "$image" > /dev/null 2>&1 || true
  rm -rf "$work"
}
trap clean EXIT
until pachctl version > /dev/null 2>&1; do
  kill -0 "$pid" || { cat "$work/log" >&2; exit 1; }
  sleep 0.05
done
cd "$work"

fail() { echo "after '$command': $*" >&2; pachctl list branch >&2; cat "$work/err" >&2; exit 1; }
head_of() { pachctl list branch "${1%@*}" | awk -v b="${1#*@}" '$1 == b { print $2 }'; }
ancestor() { pachctl inspect commit "$1" | sed -n 's/^Commit: .*@//p'; }
# the first two columns, as the document shows them
branches() { pachctl list branch "$@" | awk '{ print $1, $2 }'; }
is() { [ "$1" = "$2" ] || fail "'$1' is not '$2' ($3)"; }
hinted() { grep -q "$1" "$work/err" || fail "no hint about '$1'"; }
jobs_are() { # how many, all with success
  [ -n "$pipeline" ] || return 0
  for i in $(seq 300); do
    [ "$(pachctl list job | grep -c ' success$')" -eq "$1" ] && [ "$(pachctl list job | tail -n +2 | wc -l)" -eq "$1" ] && return 0
    sleep 0.1
  done
  pachctl list job >&2
  fail "there are not $1 jobs that succeeded"
}

pipeline=
make_pipeline() {
  if mkdir "$work/image" && cp "$(command -v busybox)" "$work/image/busybox" && ln -s busybox "$work/image/cp" &&
    tar -C "$work/image" -c . | podman import -q - "$image" > /dev/null 2> "$work/err"; then
    imported=yes
    cat > "$work/spec.json" << SPEC
{ "pipeline": { "name": "pipeline" }, "transform": { "image": "$image", "cmd": ["/cp", "-r", "/pfs/data", "/pfs/out/"] },
  "input": { "pfs": { "repo": "data", "glob": "/" } }, "output_branch": "staging" }
SPEC
    pachctl create pipeline -f "$work/spec.json" && pipeline=yes && return
  fi
  echo "without a pipeline: podman does not work here: $(cat "$work/err")"
  pachctl create repo pipeline
  echo made > "$work/made" && pachctl put file pipeline@staging -f made
}

sed -n 's/^ *\$ pachctl //p' "$document" > "$work/commands"
[ "$(wc -l < "$work/commands")" -eq 17 ] || { echo "the document has other commands than it had" >&2; exit 1; }
echo "content" > file
lists=0
while read -r command; do
  # what is done before it
  case "$command" in
    *--head\ staging^7)
      for i in 2 3 4 5 6 7 8 9 10; do
        echo "content $i" > "file$((i - 1))"
        pachctl put file data@staging -f "file$((i - 1))"
      done
      ;;
  esac
  arguments=$(echo "$command" | sed 's/<file>/file/')
  # shellcheck disable=SC2086
  pachctl $arguments > "$work/out" 2> "$work/err" < /dev/null || fail "status $?"
  # and what is true behind it
  case "$command" in
    "create repo data") is "$(pachctl list repo | awk '$1 == "data" { print $1 }')" data "the repo" ;;
    "create branch data@master") make_pipeline ;;
    "list branch data")
      lists=$((lists + 1))
      if [ $lists = 1 ]; then
        is "$(awk '{ print $1, $2 }' "$work/out")" "BRANCH HEAD
master -" "no HEAD"
      else
        is "$(awk '{ print $1, $2 }' "$work/out")" "BRANCH HEAD
staging $(ancestor data@staging)
master -" "a staging branch"
        jobs_are 0
      fi
      ;;
    "put file data@staging -f <file>") is "$(pachctl get file data@staging:/file)" content "the file" ;;
    "create branch data@master --head staging")
      is "$(head_of data@master)" "$(ancestor data@staging)" "HEAD of master"
      is "$(branches data)" "BRANCH HEAD
staging $(ancestor data@staging)
master $(ancestor data@staging)" "both at one commit"
      if [ -e file9 ]; then jobs_are 4; else jobs_are 1; fi
      ;;
    "list branch")
      is "$(awk '$1 == "data@staging" { print $2 }' "$work/out")" "$(head_of data@staging)" "of all repos"
      is "$(awk '$1 == "data@master" { print $2 }' "$work/out")" "$(head_of data@staging)" "of all repos"
      ;;
    "list job")
      is "$(head -n 1 "$work/out" | tr -s ' ')" "ID PIPELINE STARTED DURATION RESTART PROGRESS DL UL STATE" "columns"
      [ -z "$pipeline" ] || is "$(awk 'NR > 1 { print $2, $NF }' "$work/out")" "pipeline success" "one job"
      ;;
    *--head\ staging^7)
      is "$(head_of data@master)" "$(ancestor data@staging.3)" "the third of ten commits"
      jobs_are 2
      ;;
    *--head\ staging^3)
      is "$(head_of data@master)" "$(ancestor data@staging.7)" "the seventh of ten commits"
      jobs_are 3
      ;;
    *--head\ staging^1)
      is "$(head_of data@master)" "$(ancestor data@staging.9)" "rolled back"
      jobs_are 5
      [ -z "$pipeline" ] || pachctl get file pipeline@staging:/data/file8 > /dev/null || fail "no file8 in the output"
      [ -z "$pipeline" ] || ! pachctl get file pipeline@staging:/data/file9 > /dev/null 2>&1 || fail "file9 is in the output"
      ;;
    "start commit data@master")
      open=$(cat "$work/out")
      is "$(pachctl list commit data@master | awk '$4 == "-" { print $3 }')" "$open" "an open commit"
      is "$(head_of data@master)" "$(ancestor data@staging.9)" "HEAD while it is open"
      ;;
    "copy file data@staging:file1 data@master:file1")
      is "$(pachctl get file data@master:/file1)" "content 2" "the copy"
      # the document says that files can be deleted and put as well
      pachctl delete file data@master:/file7
      echo new | pachctl put file data@master:/new -f -
      ;;
    "copy file data@staging:file2 data@master:file2") is "$(pachctl get file data@master:/file2)" "content 3" "the copy" ;;
    "finish commit data@master")
      is "$(head_of data@master)" "$open" "the commit has the id that it had from the start"
      is "$(pachctl list file data@master | awk 'NR > 1 { print $1 }' | tr -d / | sort | tr '\n' ' ')" \
        "file file1 file2 file3 file4 file5 file6 file8 new " "what it holds"
      jobs_are 6
      ;;
    "create-branch pipeline master --head staging")
      is "$(head_of pipeline@master)" "$(head_of pipeline@staging)" "HEAD of the output"
      hinted "create branch"
      hinted "pipeline@master"
      ;;
    *) fail "this command is not known here: say what it does" ;;
  esac
  echo "ok: pachctl $command"
done < "$work/commands"
echo "deferred processing: everything as the document says"
