// What a person is told of a pipeline that cannot be made; nothing is made then.
#include <catch2/catch.hpp>

#include "semantics/shell.h"

using namespace pfs::test;

namespace {

const char* const kRefused = R"sh(
    # refused WORDS SPEC: `create pipeline` says one line that begins with the words
    refused() {
      if printf '%s' "$2" | pfs create pipeline -f - > "$T/said" 2>&1; then echo "accepted: $2"; return 1; fi
      if test "$(wc -l < "$T/said")" -ne 1 || ! grep -q "^pfs: \(stdin: \)\{0,1\}$1" "$T/said"; then
        echo "not as expected ($1), of $2:"; cat "$T/said"; return 1
      fi
    }
    nothing_was_made() {
      test "$(pfs list pipeline | tail -n +2 | wc -l)" -eq 0
      test "$(pfs list job | tail -n +2 | wc -l)" -eq 0
      test "$(pfs list repo | tail -n +2 | cut -d ' ' -f 1)" = data
    }
    pfs create repo data
)sh";

}  // namespace

TEST_CASE("a pipeline's spec that cannot be is refused in one line that names the field", "[semantics]") {
  Mounted mounted;
  REQUIRE_SH(mounted, kRefused + std::string(R"sh(
    p='"pipeline": {"name": "p"}'
    t='"transform": {"image": "i", "cmd": ["sh"]}'
    i='"input": {"pfs": {"repo": "data", "glob": "/*"}}'
    refused "expected a pipeline's spec, as JSON or YAML" 'hello'
    refused 'pipeline spec: the text ends inside an object' "{$p, $t, "
    refused 'no spec in it' ''
    refused 'pipeline spec: transfrom: no such field' "{$p, \"transfrom\": {}, $i}"
    refused 'pipeline spec: pipeline.name: is required' "{$t, $i}"
    refused 'pipeline spec: transform.image: is required' "{$p, \"transform\": {\"cmd\": [\"sh\"]}, $i}"
    refused 'pipeline spec: transform.cmd: is required' "{$p, \"transform\": {\"image\": \"i\"}, $i}"
    refused 'pipeline spec: transform.cmd: expected a list' "{$p, \"transform\": {\"image\": \"i\", \"cmd\": \"sh\"}, $i}"
    refused 'pipeline spec: input.pfs: is required' "{$p, $t}"
    refused 'pipeline spec: input.pfs.glob: is required' "{$p, $t, \"input\": {\"pfs\": {\"repo\": \"data\"}}}"
    refused "pipeline spec: input.pfs.glob: glob '/\[a': no '\]'" \
      "{$p, $t, \"input\": {\"pfs\": {\"repo\": \"data\", \"glob\": \"/[a\"}}}"
    nothing_was_made
  )sh"));
}

TEST_CASE("without podman a pipeline is not made, and the command says what to install", "[semantics]") {
  Mounted mounted({"PATH=/nonexistent"});
  REQUIRE_SH(mounted, kRefused + std::string(R"sh(
    spec='{"pipeline": {"name": "p"}, "transform": {"image": "i", "cmd": ["sh"]}, "input": {"pfs": {"repo": "data", "glob": "/*"}}}'
    refused 'podman is not installed .*pipelines need it: apt-get install podman' "$spec"
    nothing_was_made
  )sh"));
}

TEST_CASE("a pipeline whose input repo is not there is refused before anything is made", "[semantics]") {
  Mounted mounted;
  REQUIRE_SH(mounted, kRefused + std::string(R"sh(
    refused "pipeline spec: input.pfs.repo: no such repo 'nothere'; make it with .pfs create repo nothere." \
      '{"pipeline": {"name": "p"}, "transform": {"image": "i", "cmd": ["sh"]}, "input": {"pfs": {"repo": "nothere", "glob": "/*"}}}'
    nothing_was_made
  )sh"));
}
