#!/bin/sh
# What files cost at the command line, each row against something measured in the same run on the same disk.
# Usage: files.sh DIRECTORY_OF_PFS_AND_PFSD STORE_ROWS_PROGRAM   (needs /dev/fuse; restic for one row; about 6 GiB in $TMPDIR)
# PFS_BENCH_SHORT: an eighth of the bytes, a tenth of the files.
set -eu
bin=$1
rows=$2
mib=1024
files=100000
[ -z "${PFS_BENCH_SHORT:-}" ] || { mib=128; files=10000; }

. "$(dirname "$0")/served.sh"
timed() { begin=$(now); "$@" > /dev/null; echo $((($(now) - begin) / 1000000)); }
row() { # name, ours with its unit, compared with, ratio, target, ok or short
  printf '%-44s | %14s | %-40s | %6s | %-16s | %s\n' "$@"
}
verdict() { awk -v a="$1" -v op="$2" -v b="$3" 'BEGIN { print (op == ">=" ? a >= b : a <= b) ? "ok" : "short" }'; }
per() { awk -v a="$1" -v ms="$2" 'BEGIN { printf "%.0f", a * 1000 / (ms > 0 ? ms : 1) }'; }
ratio() { awk -v a="$1" -v b="$2" 'BEGIN { printf "%.2f", a / (b > 0 ? b : 1) }'; }

row row ours "compared with" ratio target ""
pfs create repo data

# bytes that do not compress
mkdir "$work/big"
head -c $((mib * 1048576)) /dev/urandom > "$work/big/file"
sync -f "$work/big"
ingest=$("$rows" ingest store="$work/plain-store" source="$work/big" | sed -n 's/^seconds=//p' | awk '{ printf "%.0f", $1 * 1000 }')
rm -rf "$work/plain-store"
put=$(timed pfs put file data@master:/file -f "$work/big/file")
share=$(ratio "$ingest" "$put")
row "put file of $mib MiB" "$(per "$mib" "$put") MiB/s" "the store's own ingest: $(per "$mib" "$ingest") MiB/s" "$share" ">= 0.85" "$(verdict "$share" ">=" 0.85)"
# by turns and over the same files: what comes first has memory to get that a virtual machine may have given back
for turn in 1 2 3; do
  timed pfs get file data@master:/file -o "$work/got" >> "$work/gets"
  timed cp "$work/big/file" "$work/copied" >> "$work/copies"
done
cmp "$work/got" "$work/big/file"
get=$(sort -n "$work/gets" | sed -n 2p)
copy=$(sort -n "$work/copies" | sed -n 2p)
speed=$(per "$mib" "$get")
row "get file of $mib MiB to a file" "$speed MiB/s" "cp: $(per "$mib" "$copy") MiB/s" "$(ratio "$copy" "$get")" ">= 954 MiB/s" "$(verdict "$speed" ">=" 954)"
rm -rf "$work/big" "$work/got" "$work/copied"

# small files
mkdir "$work/small"
awk -v n="$files" -v top="$work/small" 'BEGIN {
  for (i = 0; i < n; i++) {
    if (i % 1000 == 0) { dir = top "/" i / 1000; system("mkdir " dir) }
    file = dir "/" i; print "content of file " i > file; close(file)
  } }'
put=$(timed pfs put file -r data@master:/small -f "$work/small")
speed=$(per "$files" "$put")
row "put file -r of $files files" "$speed files/s" "" "" ">= 15000 files/s" "$(verdict "$speed" ">=" 15000)"
pfs sync "$work/small" data@master:/small > /dev/null
echo changed > "$work/small/0/0"
again=$(timed pfs sync "$work/small" data@master:/small)
if command -v restic > /dev/null; then
  export RESTIC_PASSWORD=bench
  restic init -q --repo "$work/restic"
  restic backup -q --repo "$work/restic" "$work/small"
  echo "changed again" > "$work/small/0/0"
  theirs=$(timed restic backup -q --repo "$work/restic" "$work/small")
  share=$(ratio "$again" "$theirs")
  row "sync of $files files again, one changed" "$again ms" "restic's second backup: $theirs ms" "$share" "<= 0.6" "$(verdict "$share" "<=" 0.6)"
else
  row "sync of $files files again, one changed" "$again ms" "no restic here" "" "<= 0.6" ""
fi
