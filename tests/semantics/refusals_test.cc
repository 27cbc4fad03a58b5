// S70 of docs/semantics.md: each errno of its table, and the line in the log that tells path and
// reason.
#include <sys/mount.h>
#include <unistd.h>

#include <algorithm>

#include <catch2/catch.hpp>

#include "semantics/shell.h"

using namespace pfs::test;

namespace {

/// How many lines of the daemon's log have all of the words.
int lines_with(const Mounted& mounted, const std::string& first, const std::string& second) {
  int lines = 0;
  const std::string log = mounted.log();
  for (std::size_t begin = 0; begin < log.size();) {
    const std::size_t end = std::min(log.find('\n', begin), log.size());
    const std::string line = log.substr(begin, end - begin);
    if (line.find(first) != line.npos && line.find(second) != line.npos) ++lines;
    begin = end + 1;
  }
  return lines;
}

}  // namespace

TEST_CASE("S70: EROFS for a commit, told with the path in it", "[semantics]") {
  Mounted mounted;
  REQUIRE_SH(mounted, R"sh(
    mkdir "$P/data@master"; mkdir "$P/data@master/dir"
    echo one > "$P/data@master/dir/f"; commit data@master
    cd "$P/.pfs/heads/data@master"
    for change in 'touch dir/new' 'rm dir/f' 'rmdir dir' 'mkdir dir/d' 'mv dir/f dir/g' 'chmod 600 dir/f' 'truncate -s 0 dir/f' \
        'ln -s x dir/l' 'ln dir/f dir/h' 'mkfifo dir/p' 'setfattr -n user.a -v b dir/f' 'chown 0 dir/f'; do
      test "$(errno_of $change)" = "Read-only file system" || { echo "$change"; exit 1; }
    done
  )sh");
  CHECK(lines_with(mounted, "/dir/new", "a finished commit") >= 1);
  CHECK(lines_with(mounted, "info", "/dir/f: a finished commit") >= 4);
}

TEST_CASE("S70: ENOENT for what is not there, EINVAL for a name that cannot be one",
          "[semantics]") {
  Mounted mounted;
  REQUIRE_SH(mounted, R"sh(
    mkdir "$P/data@master"
    for name in data@nothing nothing@master data@master^ data@0123456789abcdef0123456789abcdef data@master/f; do
      test "$(errno_of cat "$P/$name")" = "No such file or directory"
    done
    test "$(errno_of ln -s data@nothing "$P/data@master")" = "No such file or directory"
    test "$(errno_of mkdir "$P/da ta@master")" = "Invalid argument"
    test "$(errno_of mkdir "$P/data@0123456789abcdef0123456789abcdef")" = "Invalid argument"
    test "$(errno_of ln -s x "$P/link")" = "Invalid argument"
  )sh");
  CHECK(lines_with(mounted, "mkdir", "da ta@master") == 1);
  CHECK(lines_with(mounted, "symlink", "link: ") == 1);
}

TEST_CASE("S70: EBUSY for a commit by hand and for a file that is being written", "[semantics]") {
  Mounted mounted;
  REQUIRE_SH(mounted, R"sh(
    mkdir "$P/data@master" "$P/data@staging"
    echo one > "$P/data@staging/f"; commit data@staging
    exec 3> "$P/data@master/writing"; echo x >&3
    test "$(errno_of ln -s data@staging "$P/data@master")" = "Device or resource busy"
    exec 3>&-
    pfs start commit data@master > /dev/null
    test "$(errno_of ln -s data@staging "$P/data@master")" = "Device or resource busy"
    test "$(errno_of ln -sfn ../../data@staging "$P/.pfs/heads/data@master")" = "Device or resource busy"
  )sh");
  CHECK(lines_with(mounted, "data@master", "/writing is being written") == 1);
  CHECK(lines_with(mounted, "data@master", "was opened by hand") == 2);
}

TEST_CASE("S70: EACCES where the branch's top may not be written by the caller", "[semantics]") {
  if (::geteuid() != 0) {
    WARN("skipped: another user takes root");
    return;
  }
  Mounted mounted;
  REQUIRE_SH(mounted, R"sh(
    chmod 755 "$P/.."
    mkdir "$P/data@master" "$P/data@staging"; chmod 755 "$P/data@master"
    echo one > "$P/data@staging/f"; commit data@staging
    as() { setpriv --reuid 4321 --regid 4321 --clear-groups "$@"; }
    test "$(errno_of as sh -c 'echo > "$1"' - "$P/data@master/.pfs/commit")" = "Permission denied"
    test "$(errno_of as ln -sfn ../../data@staging "$P/.pfs/heads/data@master")" = "Permission denied"
    test "$(errno_of as ln -s data@staging "$P/data@master")" = "Permission denied"
    test "$(errno_of as touch "$P/data@master/f")" = "Permission denied"
    test "$(errno_of sh -c 'echo > "$1"' - "$P/data@master/.pfs/log")" = "Permission denied"
  )sh");
  // the kernel refuses the last two of the other user's by the mode, and does not ask
  CHECK(lines_with(mounted, "data@master", "uid 4321 may not write there") == 2);
  CHECK(lines_with(mounted, "data@master/.pfs/log", "is only read") == 1);
}

TEST_CASE("S70: EIO for a store that is damaged, as an error in the log that names the file",
          "[semantics]") {
  Mounted mounted;
  REQUIRE_SH(mounted, R"sh(
    mkdir "$P/data@master"
    head -c 4000000 /dev/urandom > "$P/data@master/f"; commit data@master
  )sh");
  REQUIRE(mounted.stop());
  REQUIRE_SH(mounted, R"sh(
    for pack in $(find "$T/../store/open" "$T/../store/packs" -type f -size +1M); do
      dd if=/dev/zero of="$pack" bs=1000 seek=1500 count=500 conv=notrunc status=none
    done
  )sh");
  mounted.start();
  REQUIRE_SH(mounted, R"sh(
    test "$(errno_of cat "$P/data@master/f")" = "Input/output error"
    # the rest goes on
    echo two > "$P/data@master/g"; test "$(cat "$P/data@master/g")" = two
  )sh");
  CHECK(lines_with(mounted, " error ", "data@master/f") >= 1);
}

namespace {

/// A mount whose store lies on a disk of 200 MB, `$T/../small`.
class SmallMount {
 public:
  SmallMount() {
    REQUIRE(mounted_.stop());
    REQUIRE_SH(mounted_, R"sh(
      mkdir -p "$T/../small"
      mount -t tmpfs -o size=200m small "$T/../small"
      rm -rf "$T/../store"; ln -s small "$T/../store"
    )sh");
    mounted_.start();
  }
  /// Lazily, as pfsd may still be there.
  ~SmallMount() { ::umount2(disk_.c_str(), MNT_DETACH); }
  SmallMount(const SmallMount&) = delete;
  SmallMount& operator=(const SmallMount&) = delete;

  /// Empty when it can be made.
  static std::string why_not() { return ::geteuid() == 0 ? "" : "a small disk takes root"; }
  Mounted& mounted() { return mounted_; }

 private:
  Mounted mounted_;
  const std::string disk_ = mounted_.store().substr(0, mounted_.store().rfind('/')) + "/small";
};

}  // namespace

TEST_CASE("S70: ENOSPC to the writer, and the mount lives on", "[semantics]") {
  if (!SmallMount::why_not().empty()) {
    WARN("skipped: " << SmallMount::why_not());
    return;
  }
  SmallMount small;
  REQUIRE_SH(small.mounted(), R"sh(
    mkdir "$P/data@master"
    echo before > "$P/data@master/small"
    dd if=/dev/urandom of="$P/data@master/big" bs=1M count=300 2> said && exit 1
    grep -q "No space left on device" said
    rm "$P/data@master/big"
    commit data@master
    test "$(cat "$P/.pfs/heads/data@master/small")" = before
    echo after > "$P/data@master/small"; commit data@master
  )sh");
  CHECK(lines_with(small.mounted(), "data@master/big", "space") >= 1);
  REQUIRE(small.mounted().stop());
}

TEST_CASE("S70: a tree is 1,024 directories deep at most, and one that was made deeper by a move waits for a move back", "[semantics]") {
  Mounted mounted;
  REQUIRE_SH(mounted, R"sh(
    mkdir "$P/data@master"
    cd "$P/data@master"; i=0
    while mkdir d 2> "$T/said"; do cd d; i=$((i + 1)); done
    test $i -eq 1024; grep -q "File name too long" "$T/said"
    echo deepest > f
    commit data@master
    cd "$P/.pfs/heads/data@master"; for i in $(seq 1024); do cd d; done
    test "$(cat f)" = deepest

    mkdir "$P/data@other"; cd "$P/data@other"; for i in $(seq 700); do mkdir d; cd d; done
    cd "$P/data@other"; for i in $(seq 700); do mkdir e; cd e; done
    mv "$P/data@other/d" .
    cd "$P"
    commit data@other 2> "$T/said" && exit 1
    cd "$P/data@other"; for i in $(seq 700); do cd e; done
    mv d "$P/data@other/d"
    cd "$P"
    commit data@other
    pfs update branch data@other --commit-after 1h
    cd "$P/data@other"; for i in $(seq 700); do cd d; done
    echo late > f
  )sh");
  REQUIRE(mounted.stop());  // which finishes what is open
}

TEST_CASE("S2: a commit that finds no room on the disk is EAGAIN under its id until it does", "[semantics]") {
  if (!SmallMount::why_not().empty()) {
    WARN("skipped: " << SmallMount::why_not());
    return;
  }
  SmallMount small;
  REQUIRE_SH(small.mounted(), R"sh(
    mkdir "$P/data@master"
    pfs update branch data@master --commit manual
    dd if=/dev/urandom of="$P/data@master/big" bs=1M count=300 2> said && exit 1
    id=$(sed -n 's/^open: //p' "$P/data@master/.pfs/commit")
    cat /dev/zero > "$T/../small/foreign" 2> said && exit 1
    commit data@master 2> said && exit 1
    test "$(errno_of ls "$P/data@$id")" = "Resource temporarily unavailable"
    rm "$T/../small/foreign"
    commit data@master
    cmp "$P/data@$id/big" "$P/data@master/big"
  )sh");
  REQUIRE(small.mounted().stop());
}
