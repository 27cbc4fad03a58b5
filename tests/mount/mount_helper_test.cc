// `mount -t pfs` and lines of fstab, as mount(8) carries them out: in a mount namespace in which
// mount.pfs is in /sbin.
#include <sys/stat.h>
#include <unistd.h>

#include <catch2/catch.hpp>

#include "mount/start.h"

using namespace pfs::test;

namespace {

/// Runs a script as root with $S a store, $M, $A and $B empty directories, /run/pfs and /etc/fstab
/// its own. `refused STATUS WORDS COMMAND…` is one that ends with that status and says one line
/// with those words.
Refusal with_mount(const Start& start, const std::string& script) {
  return start.run_script(R"sh(
    set -u; chmod 755 "$D"
    # what others have mounted is none of ours, and seen in this namespace only
    for at in $(awk '$3 == "fuse.pfs" { print $2 }' /proc/mounts | sort -r); do umount -l "$at"; done
    A="$D/a"; B="$D/b"; mkdir "$A" "$B" "$D/system" "$D/sbin" "$D/run"
    # /sbin as it is, with our helper in it
    mount --bind /usr/sbin "$D/system"
    ln -s "$D/system"/* "$D/sbin/"
    ln -sf ")sh" + start.helper() +
                          R"sh(" "$D/sbin/mount.pfs"
    ln -sf mount.pfs "$D/sbin/mount.fuse.pfs"
    mount --bind "$D/sbin" /usr/sbin
    mount --bind "$D/run" /run
    : > "$D/fstab"; mount --bind "$D/fstab" /etc/fstab
    export LC_ALL=C
    socket="socket=$D/socket,log_level=error"
    options_of() { awk -v at="$1" '$2 == at { print $4 }' /proc/mounts | tail -n 1; }
    mounted() { grep -q " $1 fuse.pfs " /proc/mounts; }
    refused() {
      status=$1 words=$2; shift 2
      set +e; "$@" > "$D/said" 2>&1; got=$?; set -e
      if [ $got != $status ] || ! grep -q "$words" "$D/said" || [ "$(wc -l < "$D/said")" -ne 1 ]; then
        echo "$*: status $got, said:"; cat "$D/said"; exit 1
      fi
    }
    stop() { # whatever is mounted, and the daemons
      for at in $(awk '$3 == "fuse.pfs" { print $2 }' /proc/mounts | sort -r); do umount -l "$at"; done
      for lock in "$D"/*/LOCK; do [ ! -e "$lock" ] || flock -w 20 "$lock" true; done
    }
    trap 'stop 2> /dev/null' EXIT
)sh" + script);
}

}  // namespace

#define REQUIRE_MOUNT(script)                                \
  do {                                                       \
    if (::geteuid() != 0) {                                  \
      WARN("skipped: mount -t pfs takes root");              \
      return;                                                \
    }                                                        \
    const Start start_here;                                  \
    const auto said_here = with_mount(start_here, (script)); \
    INFO("said: " << said_here.text);                        \
    REQUIRE(said_here.status == 0);                          \
  } while (false)

TEST_CASE("mount -t pfs mounts a store as a whole and umount ends it", "[mount]") {
  REQUIRE_MOUNT(R"sh(
    mount -t pfs "$S" "$M" -o "$socket,_netdev,nofail,allow_other,x-systemd.automount,commit_after=200ms"
    mounted "$M"
    mkdir "$M/data@master"; echo one > "$M/data@master/f"
    umount "$M"; ended
    # as subtype too, and what was there is there
    mount -t fuse.pfs "$S" "$M" -o "$socket,ro,noexec"
    test "$(cat "$M/data@master/f")" = one
    case ",$(options_of "$M")," in *,ro,*) ;; *) exit 1;; esac
    case ",$(options_of "$M")," in *,noexec,*) ;; *) exit 1;; esac
    ! touch "$M/data@master/g" 2> /dev/null
    mount -o remount,rw "$M"
    touch "$M/data@master/g"
    mount -o remount,ro "$M"
    ! touch "$M/data@master/h" 2> /dev/null
    umount "$M"; ended
    mount -t pfs none "$M" -o "store=$S,$socket,uid=65534,gid=65534,umask=077"
    test "$(stat -c '%u %g %a' "$M/data@master" "$M/data@master/f" | tr '\n' ' ')" = "65534 65534 700 65534 65534 600 "
    as_user sh -c 'echo two > "$1"' - "$M/data@master/f"
    test "$(cat "$M/data@master/f")" = two
  )sh");
}

TEST_CASE("S50: branches made through mount -t pfs -o commit=... keep that policy as their own",
          "[mount]") {
  REQUIRE_MOUNT(R"sh(
    export PFS_ADDRESS="unix:$D/socket"
    pfs=$(dirname "$(readlink -f "$D/sbin/mount.pfs")")/pfs
    policy() { "$pfs" inspect branch "$1" | sed -n 's/^Commit[A-Za-z ]*: //p' | tr '\n' ','; }
    $pfsd --daemonize --log-level error
    mkdir "$M/data@before"
    umount "$M"; ended
    mount -t pfs "$S" "$M" -o "$socket,commit=close,commit_after=1h,commit_max=2m"
    mkdir "$M/data@master"
    test "$(policy data@master)" = "close,1h,2m,"
    # what was there before, and what is made elsewhere, has none of its own
    "$pfs" create branch data@api
    test "$(policy data@before)$(policy data@api)" = "auto (default),1s (default),1m (default),auto (default),1s (default),1m (default),"
    echo one > "$M/data@master/f"   # its close is enough
    for i in $(seq 100); do test ! -e "$M/.pfs/heads/data@master/f" || break; sleep 0.05; done
    test "$(cat "$M/.pfs/heads/data@master/f")" = one
    umount "$M"; ended
    mount -t pfs "$S" "$M" -o "$socket,commit_after=5s"
    test "$(policy data@master)" = "close,1h,2m,"
    mkdir "$M/data@other"
    test "$(policy data@other)" = "auto (default),5s,1m (default),"
  )sh");
}

TEST_CASE(
    "mount -t pfs data@master mounts a branch of the running daemon, a commit or a directory of "
    "one",
    "[mount]") {
  REQUIRE_MOUNT(R"sh(
    $pfsd --daemonize --log-level error
    mkdir "$M/data@master" "$M/data@dev"; mkdir -p "$M/data@master/dir/sub"
    echo one > "$M/data@master/dir/sub/f"; echo > "$M/data@master/.pfs/commit"
    echo two > "$M/data@master/dir/sub/f"; echo > "$M/data@master/.pfs/commit"
    mount -t pfs data@master "$A"
    test "$(cat "$A/dir/sub/f")" = two
    echo written > "$A/g"; test "$(cat "$M/data@master/g")" = written
    # one file system: copies go by reference, and a retarget is seen
    test "$(stat -c %d "$A")" = "$(stat -c %d "$M")"
    umount "$A"; ! mounted "$A"

    mount -t pfs 'data@master^' "$A"
    test "$(cat "$A/dir/sub/f")" = one
    ! touch "$A/new" 2> /dev/null
    mount -t pfs 'data@master^:/dir/sub' "$B" -o ro,noexec,nosuid
    test "$(ls "$B")" = f
    case ",$(options_of "$B")," in *,ro,*) ;; *) exit 1;; esac
    umount "$B"
    mount -t pfs data@master:/dir "$B" -o ro
    ! touch "$B/new" 2> /dev/null
    mount -o remount,rw "$B"
    touch "$B/new"
    test -e "$M/data@master/dir/new"
    touch "$M/data@master/other"   # the whole has stayed writable
    umount "$B"
    mount -t pfs pfs "$B" -o "store=$S,ro"
    test "$(cat "$B/data@master/dir/sub/f")" = two
    ! touch "$B/data@master/new" 2> /dev/null
    umount "$A" "$B"
  )sh");
}

TEST_CASE("lines of fstab start the daemon for a store and mount parts of it", "[mount]") {
  REQUIRE_MOUNT(R"sh(
    printf '%s\n' "$S $M pfs _netdev,nofail,allow_other,commit=auto,commit_after=1s,x-systemd.mount-timeout=30s,$socket 0 0" \
      "data@master $A pfs ro,_netdev,nofail,store=$S 0 0" "data@master^:/d $B pfs _netdev 0 0" > "$D/fstab"
    mount "$M"
    mkdir "$M/data@master"; mkdir "$M/data@master/d"
    echo one > "$M/data@master/d/f"; echo > "$M/data@master/.pfs/commit"
    echo two > "$M/data@master/d/f"; echo > "$M/data@master/.pfs/commit"
    mount -a
    test "$(cat "$A/d/f") $(cat "$B/f")" = "two one"
    # once more changes nothing
    mount -a
    test "$(grep -c fuse.pfs /proc/mounts)" = 3
    ! touch "$A/x" 2> /dev/null
    umount "$A"; umount "$B"; umount "$M"; ended

    # a part alone starts the daemon too, which serves the whole elsewhere
    mount "$A" -o "$socket"
    test "$(cat "$A/d/f")" = two
    test "$(ls -A "$M")" = ""
    mounted "/run/pfs/stores/$(echo "${S#/}" | tr / -)"
    # what is there already may be asked for with the options of the daemon that it has started
    mount "$A" -o "$socket"
    ! mount "$B" -o "$socket" 2> /dev/null
    mount "$B"
    test "$(cat "$B/f")" = one
    mount -f -t pfs "$S" "$M"; ! mounted "$M"
    mount -f -v -n -t pfs data@nothing "$M" > /dev/null
  )sh");
}

TEST_CASE("a mount that lost its daemon is found and replaced, by mount as by pfsd", "[mount]") {
  REQUIRE_MOUNT(R"sh(
    killed() { kill -9 "$(cut -d ' ' -f 1 "$S/LOCK")"; ended; }
    mount -t pfs "$S" "$M" -o "$socket"
    mkdir "$M/data@master"; echo one > "$M/data@master/f"
    mount -t pfs data@master "$A"
    killed
    refused 32 "the pfsd that served it has ended; start it" mount -t pfs data@master "$A"
    ! cat "$M/data@master/f" 2> /dev/null
    # the part first: the whole is replaced where it was
    mount -t pfs data@master "$A" -o "store=$S,$socket"
    test "$(cat "$A/f") $(cat "$M/data@master/f")" = "one one"
    test "$(grep -c " $A fuse.pfs " /proc/mounts) $(grep -c " $M fuse.pfs " /proc/mounts)" = "1 1"
    killed
    mount -t pfs "$S" "$M" -o "$socket"
    mount -t pfs data@master "$A"
    test "$(cat "$A/f") $(cat "$M/data@master/f")" = "one one"
    test "$(grep -c " $A fuse.pfs " /proc/mounts) $(grep -c " $M fuse.pfs " /proc/mounts)" = "1 1"
    # one that lives is not taken away, and there already is as good as mounted
    mount -t pfs "$S" "$M" -o "$socket"
    mount -t pfs data@master "$A"
    refused 32 "stop it first" mount -t pfs "$S" "$B" -o "$socket"
    refused 32 "is mounted there; unmount it or choose another directory" mount -t pfs "$D/store2" "$M" -o "$socket"
    test "$(cat "$A/f") $(cat "$M/data@master/f")" = "one one"
    test "$(grep -c " $A fuse.pfs " /proc/mounts) $(grep -c " $M fuse.pfs " /proc/mounts)" = "1 1"
  )sh");
}

TEST_CASE("what mount -t pfs cannot do is one line with the exit status of mount(8)", "[mount]") {
  REQUIRE_MOUNT(R"sh(
    refused 32 "no pfsd serves a mount here; start it (.systemctl start pfsd.), or say -o store=DIR" mount -t pfs data@master "$A"
    # a name that another user may give a mount point is no line of the kernel's
    mkdir -p "$D/x/data@master"
    false="$D/$(printf 'x\f-\ffuse.pfs\fpfs#1\frw,user_id=0,')"
    mkdir "$false"; mount -t tmpfs none "$false"
    refused 32 "no pfsd serves a mount here" mount -t pfs data@master "$A"
    umount "$false"
    refused 1 "unknown option bogus" mount -t pfs "$S" "$M" -o bogus
    mount -s -f -t pfs "$S" "$M" -o bogus
    refused 1 "umask=9: is no octal number" mount -t pfs "$S" "$M" -o umask=9
    refused 1 "uid=me: is no number" mount -t pfs "$S" "$M" -o uid=me
    refused 1 "commit=often: is auto, close or manual" mount -t pfs "$S" "$M" -o commit=often
    refused 32 "commit-after: '3x'" mount -t pfs "$S" "$M" -o commit_after=3x
    refused 1 "commit: .*data@master has its own: .pfs update branch" mount -t pfs data@master "$A" -o "store=$S,commit=close"
    refused 1 "store=x: is no absolute path" mount -t pfs data@master "$M" -o store=x
    refused 1 "is written data@master:/DIR" mount -t pfs data@master:dir "$M"
    refused 32 "not empty" sh -c 'mkdir "$1/full"; mount -t pfs "$2" "$1" -o "$3"' - "$B" "$S" "$socket"
    ! test -e "$S"
    $pfsd --daemonize --log-level error
    mkdir "$M/data@master"; mkdir "$M/data@master/d"; touch "$M/data@master/f"
    ln -s /etc "$M/data@master/out"; ln -s ../../.. "$M/data@master/up"; ln -s d "$M/data@master/in"
    refused 32 "data@nothing: no such branch or commit; .*mkdir $M/data@nothing" mount -t pfs data@nothing "$A"
    refused 32 "data@master:/x: no such directory" mount -t pfs data@master:/x "$A"
    refused 32 "data@master:/f: not a directory" mount -t pfs data@master:/f "$A"
    refused 32 "leads out of the store" mount -t pfs data@master:/out "$A"
    refused 32 "leads out of the store" mount -t pfs data@master:/up/up/up "$A"
    mount -t pfs data@master:/in "$A"; umount "$A"
    refused 1 "uid: is the same for all mounts of a store, and it is mounted at $M already" mount -t pfs data@master "$A" -o uid=1
    refused 1 "commit: .*data@master has its own: .pfs update branch" mount -t pfs data@master:/in "$A" -o commit=close
    refused 1 "commit_after: is the same for all mounts of a store" mount -t pfs pfs "$A" -o commit_after=5s
    refused 32 "no mount of pfs" "$D/sbin/mount.pfs" x "$A" -o remount,ro
    # what another user serves is not taken for root's
    mkdir "$D/theirs" "$D/theirs/mnt"; chown -R 65534 "$D/theirs"
    as_user $pfsd --daemonize --log-level error --store "$D/theirs/store" --mount "$D/theirs/mnt" --socket "$D/theirs/socket"
    mounted "$D/theirs/mnt"
    mount -t pfs data@master "$A"; test -e "$A/f"; umount "$A"
    mkdir "$D/second"
    $pfsd --daemonize --log-level error --store "$D/store2" --mount "$D/second" --socket "$D/socket2"
    refused 1 "several stores are mounted ($M, $D/second); say which by -o store=DIR" mount -t pfs data@master "$A"
    mount -t pfs data@master "$A" -o "store=$S"
    test -e "$A/f"
    as_another() { setpriv --reuid 54321 --regid 54321 --clear-groups "$@"; }
    refused 32 "no pfsd of this user serves a mount here" as_another "$D/sbin/mount.pfs" data@master "$A"
  )sh");
}

TEST_CASE("an ordinary user mounts parts of what their own pfsd serves, each by a session of its own", "[mount]") {
  REQUIRE_MOUNT(R"sh(
    chmod 755 "$D"; mkdir "$D/home"; chown 65534 "$D/home"
    whole="$D/home/whole" part="$D/home/a part" run="$D/home/run"
    as_user mkdir "$whole" "$part" "$run" "$D/home/roots"
    chown 0 "$D/home/roots"
    as_user $pfsd --daemonize --log-level error --store "$D/home/store" --mount "$whole" --socket "$D/home/socket"
    as_user sh -euc 'mkdir "$1/data@master" "$1/data@master/d"; echo mine > "$1/data@master/d/f"; echo > "$1/data@master/.pfs/commit"' - "$whole"
    helper="$D/sbin/mount.pfs"
    as_user "$helper" data@master:/d "$part"
    test "$(as_user cat "$part/f")" = mine
    as_user sh -c 'echo more >> "$1/f"' - "$part"
    test "$(as_user cat "$whole/data@master/d/f" | tr '\n' ' ')" = "mine more "
    as_user "$helper" data@master:/d "$part"   # there already
    test "$(grep -c "a.040part fuse.pfs" /proc/mounts)" = 1
    refused 32 "data@master is mounted there" as_user "$helper" data@master "$part"
    as_user fusermount3 -u "$part"
    as_user "$helper" 'data@master.1:/d' "$part" -o ro,noexec
    grep -q "a.040part fuse.pfs ro,nosuid,nodev,noexec" /proc/mounts
    test "$(as_user cat "$part/f")" = mine
    as_user fusermount3 -u "$part"
    refused 32 "no such directory" as_user "$helper" data@master:/none "$part"
    refused 32 "no such branch or commit" as_user "$helper" data@none "$part"
    refused 32 "not this user's to mount on" as_user "$helper" data@master "$D/home/roots"
    refused 32 "user_allow_other" as_user "$helper" data@master "$part" -o allow_other
    # killed: the next one starts another for the store, and mounts it as a whole beside it
    as_user "$helper" data@master:/d "$part"
    kill -9 "$(cut -d ' ' -f 1 "$D/home/store/LOCK")"; flock -w 20 "$D/home/store/LOCK" true
    as_user "$helper" data@master:/d "$part" -o "store=$D/home/store,socket=$D/home/socket"
    test "$(as_user cat "$part/f" | tr '\n' ' ')" = "mine more "
    as_user fusermount3 -u "$part"; as_user fusermount3 -u "$whole"; flock -w 20 "$D/home/store/LOCK" true
    as_user env XDG_RUNTIME_DIR="$run" "$helper" data@master:/d "$part" -o "store=$D/home/store,socket=$D/home/socket"
    test "$(as_user cat "$part/f" | tr '\n' ' ')" = "mine more "
    mounted "$run/pfs/stores/$(echo "${D#/}" | tr / -)-home-store"
    as_user fusermount3 -u "$part"
  )sh");
}

TEST_CASE("an interrupted mount leaves nothing behind and ends with the status for that",
          "[mount]") {
  REQUIRE_MOUNT(R"sh(
    # pfsd waits for a store that is slow to come
    mkdir "$S"; mkfifo "$S/FORMAT"
    "$D/sbin/mount.pfs" "$S" "$M" -o "$socket" & helper=$!
    sleep 0.5
    kill -INT $helper
    set +e; wait $helper; status=$?; set -e
    test $status = 8
    # it goes on, finds that nobody waits for it, and ends
    timeout 10 sh -c ': > "$1"' - "$S/FORMAT"
    ended
    ! mounted "$M"
    rm "$S/FORMAT"
  )sh");
}
