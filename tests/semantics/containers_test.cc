// Containers of others over the mount: podman's :O, and overlayfs itself, over a commit.
#include <catch2/catch.hpp>

#include <unistd.h>

#include <string>

#include "contract/trigger/podman_image.h"
#include "semantics/shell.h"

using namespace pfs::test;

namespace {

std::string with_a_commit(const std::string& script) {
  return R"sh(
    mkdir "$P/data@master" "$P/data@master/d"
    echo one > "$P/data@master/f"; echo below > "$P/data@master/d/g"; head -c 3000000 /dev/urandom > "$P/data@master/big"
    commit data@master
    commit=$P/data@$(head_of data@master)
)sh" + script;
}

/// `run OPTIONS... IMAGE COMMAND...` is a container by podman.
std::string with_podman(const std::string& script) {
  return "image=" + busybox_image() + R"sh(
    # what podman asks for by itself needs more rights than a test may have
    least() { printf '%s\n' "$@" | sed 's/unlimited/999999999/' | sort -n | head -n 1; }
    files=$(least "$(bash -c 'ulimit -Hn')" 1048576) processes=$(least "$(bash -c 'ulimit -Hu')" "$(cat /proc/sys/kernel/pid_max)")
    runtime=$(command -v runc || command -v crun)
    run() { podman --runtime "$runtime" run --ulimit "nofile=$files:$files" --ulimit "nproc=$processes:$processes" --rm --network none "$@"; }
)sh" + script;
}

}  // namespace

TEST_CASE("S47: a container that has the mount sees a retarget, its own and others'", "[semantics]") {
  Mounted mounted;
  REQUIRE_SH(mounted, with_podman(R"sh(
    for branch in master second third; do mkdir "$P/data@$branch"; echo $branch > "$P/data@$branch/f"; commit "data@$branch"; done
    run -v "$P:/pfs" -v "$T:/said" "$image" /bin/sh -c '
      set -e; b="/bin/busybox"; cd /pfs/data@master
      exec 3< f
      $b cat f; echo > /said/ready
      while ! test -e /said/moved; do $b sleep 0.01; done
      $b cat f
      $b ln -s data@third /pfs/data@master
      $b cat f; $b cat <&3' > said &
    container=$!
    while ! test -e ready; do sleep 0.01; done
    ln -s data@second "$P/data@master"; touch moved
    wait $container
    test "$(tr '\n' ' ' < said)" = "master second third master "
    test "$(cat "$P/data@master/f")" = third
  )sh"));
}

TEST_CASE("a container changes what it likes over a commit that podman mounts with :O", "[semantics]") {
  Mounted mounted;
  REQUIRE_SH(mounted, with_podman(with_a_commit(R"sh(
    before=$(cat "$commit/f" "$commit/d/g" "$commit/big" | sha256sum)
    run -v "$commit:/in:O" -v "$T:/said" "$image" /bin/sh -c '
      set -e; b="/bin/busybox"
      echo two >> /in/f; echo new > /in/d/new; $b rm /in/d/g; $b mv /in/f /in/d/f; $b dd if=/dev/zero of=/in/big bs=1 count=5 conv=notrunc
      $b cat /in/d/f > /said/f; $b ls /in/d > /said/d; $b wc -c < /in/big > /said/big'
    test "$(cat f)" = "one
two"
    test "$(cat d)" = "f
new"
    test "$(cat big)" -eq 3000000
    test "$(cat "$commit/f" "$commit/d/g" "$commit/big" | sha256sum)" = "$before"
    test "$(ls "$commit/d")" = g
  )sh")));
}

TEST_CASE("an overlay over a commit reads it and keeps the changes above", "[semantics]") {
  if (::geteuid() != 0) return;
  Mounted mounted;
  REQUIRE_SH(mounted, with_a_commit(R"sh(
    mkdir upper work merged; mount -t tmpfs none upper; mkdir upper/up upper/work
    mount -t overlay -o "lowerdir=$commit,upperdir=upper/up,workdir=upper/work" none merged
    trap 'umount merged; umount upper' EXIT
    test "$(cat merged/f)" = one
    echo two >> merged/f; rm merged/d/g; cmp merged/big "$commit/big"
    test "$(cat merged/f)" = "one
two"
    test ! -e merged/d/g
    test "$(cat "$commit/f" "$commit/d/g")" = "one
below"
  )sh"));
}
