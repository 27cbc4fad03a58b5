// What a pipeline's output does that fills the disk of the store: its job says so, and others go on once there is room.
#include <catch2/catch.hpp>

#include <stdlib.h>

#include <optional>

#include "semantics/pipeline_words.h"
#include "support/small_disk.h"

using namespace pfs::test;

namespace {

/// A store, with all that belongs to it, on a disk of its own.
class FullDisk {
 public:
  FullDisk() {
    if (!disk.why_not().empty()) return;
    const char* before = ::getenv("TMPDIR");
    const std::optional<std::string> kept = before == nullptr ? std::nullopt : std::optional<std::string>(before);
    ::setenv("TMPDIR", disk.path().c_str(), 1);
    mounted.emplace();
    kept ? ::setenv("TMPDIR", kept->c_str(), 1) : ::unsetenv("TMPDIR");
  }

  SmallDisk disk{SmallDisk::Kind::kExt4, 256};
  std::optional<Mounted> mounted;
};

/// Also `ended NAME STATE`, which waits for the newest job of a pipeline, and `has FILE WORDS`.
std::string with_jobs(const std::string& script) {
  return with_pipelines(R"sh(
    has() { grep -qF -- "$2" "$1" || { echo "no '$2' in:"; cat "$1"; return 1; }; }
    newest_of() { pfs list job -p "$1" | sed -n 2p | cut -d ' ' -f 1; }
    ended() { pfs inspect job "$(newest_of "$1")" --block > "$T/job" 2> /dev/null || test $? -eq 1; has "$T/job" "State: $2"; }
    no_room='the disk of the store had no room for what the command wrote; make room on it'
)sh" + script);
}

}  // namespace

TEST_CASE("S70: a container's output that fills the disk fails the datum, which says so, and its room is free again", "[semantics]") {
  FullDisk here;
  if (!here.mounted) {
    WARN("skipped: " << here.disk.why_not());
    return;
  }
  REQUIRE_SH(*here.mounted, with_jobs(R"sh(
    fill='/bin/busybox dd if=/dev/urandom of=/pfs/out/big bs=100000 count=10000'
    pipeline bad "$fill"
    put f hello
    ended bad failure; has "$T/job" "Reason: datum /f: $no_room: the command ended with status 1"
    pfs logs -j "$(newest_of bad)" > "$T/log"; has "$T/log" 'No space left on device'
    test ! -e "$P/bad@master/big"
    pipeline good 'cp /pfs/data/* /pfs/out/; /bin/busybox head -c 20000000 /dev/urandom > /pfs/out/some'
    ended good success
    test "$(cat "$P/good@master/f")" = hello
    verb=update; pipeline bad "$fill; true"    # who does not look at what write(2) says
    ended bad failure; has "$T/job" "Reason: datum /f: $no_room: the command ended well all the same"
    pipeline bad 'cp /pfs/data/* /pfs/out/'
    ended bad success
  )sh"));
}

TEST_CASE("S70: a disk that somebody else fills while a job runs fails its datum, and jobs go on when there is room", "[semantics]") {
  FullDisk here;
  if (!here.mounted) {
    WARN("skipped: " << here.disk.why_not());
    return;
  }
  REQUIRE_SH(*here.mounted, with_jobs(R"sh(
    pipeline other 'cp /pfs/data/* /pfs/out/'
    put f hello
    ended other success
    pipeline slow 'sleep 5.218; /bin/busybox head -c 20000000 /dev/urandom > /pfs/out/much'
    for i in $(seq 200); do if ps -eo args | grep -q '^sleep 5[.]218'; then break; fi; sleep 0.1; done
    ps -eo args | grep -q '^sleep 5[.]218'
  )sh"));
  here.disk.fill();
  REQUIRE_SH(*here.mounted, R"sh(
    job=$(pfs list job -p slow | sed -n 2p | cut -d ' ' -f 1)
    for i in $(seq 100); do pfs inspect job "$job" | grep -q 'no room' && break; sleep 0.1; done
    pfs inspect job "$job"
    pfs inspect job "$job" | grep -q 'the disk of the store had no room'
  )sh");
  here.disk.empty();
  REQUIRE_SH(*here.mounted, with_jobs(R"sh(
    ended slow failure
    put f again
    ended other success
    ended slow success
    test "$(stat -c %s "$P/slow@master/much")" -eq 20000000
    test "$(cat "$P/other@master/f")" = again
  )sh"));
}
