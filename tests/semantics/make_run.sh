#!/bin/sh
# `make run`, `make stop` and `make install` as a newcomer types them: make_run.sh BUILD_DIRECTORY SOURCE_DIRECTORY.
# The scripts are run from a copy of what they need, whose `make release` is done already: the binaries are those of the build.
set -eu
build=$1
source=$2
[ -w /dev/fuse ] || { echo "skipped: no /dev/fuse for this user"; exit 77; }
work=$(mktemp -d "${TMPDIR:-/tmp}/pfs-run-XXXXXX")
clean() {
  pid=$(cut -d ' ' -f 1 "$work/store/LOCK" 2> /dev/null || true)
  [ -z "$pid" ] || flock -n "$work/store/LOCK" true || kill -9 "$pid" 2> /dev/null || true
  umount -l "$work/mnt" 2> /dev/null || fusermount3 -uz "$work/mnt" 2> /dev/null || true
  rm -rf "$work"
}
trap clean EXIT
fail() {
  echo "make_run: $1" >&2
  exit 1
}

mkdir -p "$work/tree/build"
cp -a "$source/scripts" "$source/README.md" "$work/tree"
sed 's/^release:$/release: ; @test -x build\/bin\/pfsd\nunused:/' "$source/Makefile" > "$work/tree/Makefile"
ln -s "$build/bin" "$work/tree/build/bin"
cd "$work/tree"
export PFS_STORE="$work/store" PFS_MOUNT="$work/mnt" PFS_SOCKET="$work/run/pfsd.sock" PFS_EXAMPLE=no
unset PFS_ADDRESS MAKEFLAGS MAKELEVEL

# a machine with nothing: it serves, and what it tells to type works
make --no-print-directory run > "$work/said"
grep -qx 'pfsd is running (process [0-9]*)' "$work/said" || fail "does not say that it runs: $(cat "$work/said")"
mountpoint -q "$PFS_MOUNT" || fail "nothing is mounted"
sed -n '/^Try this:$/,$s/^  //p' "$work/said" > "$work/hints"
sh -eu "$work/hints" > "$work/tried"
[ "$(grep -c . "$work/hints")" -ge 6 ] || fail "there are no hints: $(cat "$work/said")"
cat README.md > "$work/expected"
tail -c "$(wc -c < README.md)" "$work/tried" | cmp - "$work/expected"

# once more: it says so, and changes nothing
pid=$(cut -d ' ' -f 1 "$work/store/LOCK")
make --no-print-directory run > "$work/said"
grep -qx "pfsd is running already (process $pid)" "$work/said" || fail "a second run says: $(cat "$work/said")"
[ "$(cut -d ' ' -f 1 "$work/store/LOCK")" = "$pid" ] || fail "a second run has started another pfsd"

# after a crash: the dead mount is replaced
kill -9 "$pid"
flock -w 20 "$work/store/LOCK" true
make --no-print-directory run > "$work/said"
cmp "$PFS_MOUNT/hello@master/README.md" README.md

[ "$(make --no-print-directory stop)" = "pfsd has stopped" ] || fail "make stop does not say that it has stopped"
mountpoint -q "$PFS_MOUNT" && fail "make stop has left the mount"
[ "$(make --no-print-directory stop)" = "pfsd is not running" ] || fail "a second make stop does not say that nothing runs"

# installed: programs, names, manuals, completions; it runs from there
DESTDIR="$work/root" cmake --install "$build" --prefix /usr > /dev/null
for file in bin/pfs bin/pachctl bin/pfsd bin/pfs-worker sbin/mount.pfs sbin/mount.fuse.pfs lib/systemd/system/pfsd.service \
  share/man/man1/pfs.1 share/man/man1/pachctl.1 share/bash-completion/completions/pfs share/zsh/site-functions/_pfs \
  share/fish/vendor_completions.d/pfs.fish; do
  [ -s "$work/root/usr/$file" ] || fail "make install leaves out /usr/$file"
done
grep -q "^ExecStart=/.*/bin/pfsd" "$work/root/usr/lib/systemd/system/pfsd.service" || fail "the service runs no pfsd"
"$work/root/usr/sbin/mount.pfs" "$work/store" "$work/mnt" -o "socket=$PFS_SOCKET"
PFS_ADDRESS="unix:$PFS_SOCKET" "$work/root/usr/bin/pachctl" list branch hello | grep -q '^master '
make --no-print-directory stop > /dev/null
echo "make_run: as it says"
