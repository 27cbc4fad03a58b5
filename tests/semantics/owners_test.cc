// The lines of docs/semantics.md about owners, modes and refusals.
#include <unistd.h>

#include <catch2/catch.hpp>

#include "semantics/shell.h"

using namespace pfs::test;

namespace {

/// Words for scripts: `as UID COMMAND…` runs as that user; only where the test is run by root.
const std::string kOthers = R"sh(
    chmod 755 "$P/.."
    as() { who=$1; shift; setpriv --reuid "$who" --regid "$who" --clear-groups "$@"; }
    owner() { stat -c '%u:%g %a' "$1"; }
)sh";

bool skipped_without_root() {
  if (::geteuid() == 0) return false;
  WARN("skipped: another user takes root");
  return true;
}

}  // namespace

TEST_CASE(
    "S51: the mount's top and .pfs belong to who runs pfsd, in the modes that let everybody try",
    "[semantics]") {
  Mounted mounted;
  REQUIRE_SH(mounted, R"sh(
    mine=$(id -u):$(id -g)
    owner() { stat -c '%u:%g %a' "$1"; }
    mkdir "$P/data@master"
    test "$(owner "$P")" = "$mine 1777"
    test "$(owner "$P/.pfs")" = "$mine 755"
    test "$(owner "$P/.pfs/heads")" = "$mine 777"
    test "$(owner "$P/.pfs/views")" = "$mine 711"
    test "$(owner "$P/.pfs/heads/data@master")" = "$mine 777"
    test "$(owner "$P/data@master/.pfs")" = "$mine 777"
    test "$(owner "$P/data@master/.pfs/commit")" = "$mine 666"
    test "$(owner "$P/data@master/.pfs/log")" = "$mine 444"
  )sh");
}

TEST_CASE("S51: a branch that is its owner's alone is so in its commits, and by way of another branch", "[semantics]") {
  if (skipped_without_root()) return;
  Mounted mounted;
  REQUIRE_SH(mounted, kOthers + R"sh(
    umask 022
    mkdir -m 700 "$P/data@private"; echo secret > "$P/data@private/f"; commit data@private
    mkdir "$P/data@public"
    head=$(readlink "$P/.pfs/heads/data@private"); head=${head##*/}
    test "$(owner "$P/$head")" = "0:0 700"
    ! as 1234 cat "$P/data@private/f" 2> /dev/null
    ! as 1234 cat "$P/$head/f" 2> /dev/null
    ! as 1234 ln -s data@private "$P/data@public" 2> "$T/err"
    grep -q 'Permission denied' "$T/err"
    ! as 1234 ln -s "$head" "$P/data@public" 2> /dev/null
    test ! -e "$P/data@public/f"
    # the owner opens it
    chmod 755 "$P/data@private"; sleep 1.1
    test "$(as 1234 cat "$P/$head/f")" = secret
    as 1234 ln -s data@private "$P/data@public"
    test "$(as 1234 cat "$P/data@public/f")" = secret
  )sh");
}

TEST_CASE("S51: a branch that the API makes belongs to the caller as well", "[semantics]") {
  Mounted mounted;
  REQUIRE_SH(mounted, R"sh(
    mine=$(id -u):$(id -g)
    owner() { stat -c '%u:%g %a' "$1"; }
    mkdir "$P/data@master"
    pfs create branch data@dev
    test "$(owner "$P/data@dev")" = "$mine 777"
  )sh");
  if (skipped_without_root()) return;
  REQUIRE_SH(mounted, kOthers + R"sh(
    chmod 755 "$P/.."; chmod 666 "${PFS_ADDRESS#unix:}"
    theirs="1234:1234 777"
    echo one > "$P/data@master/f"; commit data@master
    as 1234 pfs create branch data@empty
    as 1234 pfs create branch data@at --head data@master
    echo two > "$T/two"
    as 1234 pfs put file data@put:/two -f "$T/two"
    as 1234 pfs start commit data@started
    for name in empty at put started; do test "$(owner "$P/data@$name")" = "$theirs"; done
    test "$(cat "$P/data@at/f")" = one
    # to make it again, or to move its HEAD, is not to make it
    pfs create branch data@empty
    pfs create branch data@empty --head data@master
    test "$(owner "$P/data@empty")" = "$theirs"
    as 1234 rm -r "$P/data@empty"
    test "$(errno_of as 4321 mv -T "$P/data@at" "$P/data@stolen")" = "Operation not permitted"
    pfs finish commit data@started
  )sh");
  REQUIRE(mounted.kill());
  mounted.start();
  REQUIRE_SH(mounted, kOthers + R"sh(
    for name in at put started; do test "$(owner "$P/data@$name")" = "1234:1234 777"; done
  )sh");
}

TEST_CASE(
    "S51: a new branch has mode 0777 whatever the umask; what is made in it follows the umask",
    "[semantics]") {
  Mounted mounted;
  REQUIRE_SH(mounted, R"sh(
    mode() { stat -c %a "$1"; }
    umask 077
    mkdir "$P/data@master"
    test "$(mode "$P/data@master")" = 777
    mkdir -m 750 "$P/data@closed"
    test "$(mode "$P/data@closed")" = 750
    cd "$P/data@master"
    echo 1 > f; mkdir d; mkfifo p; ln -s f l
    test "$(mode f) $(mode d) $(mode p) $(mode l)" = "600 700 600 777"
    umask 022
    echo 1 > g; mkdir e
    test "$(mode g) $(mode e)" = "644 755"
    chmod 2775 .
    commit data@master
    ! test -e "$P/data@master/data@x"
  )sh");
  REQUIRE(mounted.stop());
  mounted.start();
  REQUIRE_SH(mounted, R"sh(
    test "$(stat -c %a "$P/data@master")" = 2775
    test "$(stat -c %a "$P/data@closed")" = 750
  )sh");
}

TEST_CASE(
    "S51: a branch belongs to who made it, over commits, retargets and restarts, and others may "
    "not take it away",
    "[semantics]") {
  if (skipped_without_root()) return;
  Mounted mounted;
  REQUIRE_SH(mounted, kOthers + R"sh(
    as 1234 mkdir "$P/data@master"
    as 4321 mkdir "$P/data@dev"
    test "$(owner "$P/data@master")" = "1234:1234 777"
    as 1234 sh -c 'umask 022; echo mine > "$1"' - "$P/data@master/f"
    as 4321 sh -c 'echo theirs > "$1"' - "$P/data@master/g"
    test "$(stat -c %u "$P/data@master/f" "$P/data@master/g" | tr '\n' ' ')" = "1234 4321 "
    test "$(errno_of as 4321 sh -c 'echo more >> "$1"' - "$P/data@master/f")" = "Permission denied"
    commit data@master
    as 4321 ln -s data@master "$P/data@dev"
    test "$(owner "$P/data@dev")" = "4321:4321 777"
    test "$(errno_of as 4321 mv -T "$P/data@master" "$P/data@stolen")" = "Operation not permitted"
    as 1234 mkdir "$P/data@empty"
    test "$(errno_of as 4321 rmdir "$P/data@empty")" = "Operation not permitted"
    as 1234 rmdir "$P/data@empty"
    as 1234 mv -T "$P/data@master" "$P/data@main"
  )sh");
  REQUIRE(mounted.kill());
  mounted.start();
  REQUIRE_SH(mounted, kOthers + R"sh(
    test "$(owner "$P/data@main")" = "1234:1234 777"
    test "$(owner "$P/data@dev")" = "4321:4321 777"
    chmod 755 "$P/data@main"
    test "$(errno_of as 4321 touch "$P/data@main/new")" = "Permission denied"
  )sh");
}

TEST_CASE("S63: nothing tells whether there are views", "[semantics]") {
  Mounted mounted;
  REQUIRE_SH(mounted, R"sh(
    mkdir "$P/data@master"
    test "$(ls -A "$P/.pfs")" = heads
    test -z "$(ls -A "$P/.pfs/views")"
    test "$(stat -c %h "$P/.pfs/views")" = 1
    test "$(errno_of cat "$P/.pfs/views/0123456789abcdef0123456789abcdef")" = "No such file or directory"
    test "$(errno_of mkdir "$P/.pfs/views/mine")" = "Operation not permitted"
    test -z "$(find "$P" -path '*views*')"
  )sh");
  if (::geteuid() != 0) return;
  REQUIRE_SH(mounted, kOthers + R"sh(
    test "$(errno_of as 1234 ls "$P/.pfs/views")" = "Permission denied"
  )sh");
}
