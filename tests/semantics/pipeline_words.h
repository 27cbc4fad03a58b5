#pragma once

#include <string>

#include "contract/trigger/podman_image.h"
#include "semantics/shell.h"

namespace pfs::test {

/// Commands for scripts: `pipeline NAME COMMAND` makes one that runs the shell command for each file at the top of
/// data@master (other words in $image, $cmd and $verb make it another; $more is fields of the spec, each with its comma); `put NAME TEXT` is a change of data@master,
/// committed; `jobs_are NUMBER STATE` waits until there are so many and the newest is in that state.
inline std::string with_pipelines(const std::string& script) {
  return "image=" + busybox_image() + R"sh(
    pipeline() {
      line=$(printf '%s' "$2" | sed 's/[\\"]/\\&/g')  # as JSON has it
      cat > "$T/spec.json" << SPEC
      { "pipeline": { "name": "$1" }, "transform": { "image": "$image", "cmd": ["${cmd:-sh}"], "stdin": ["$line"] },
        "datum_tries": 1, ${more:-} "input": { "pfs": { "repo": "data", "glob": "/*" } } }
SPEC
      pfs "${verb:-create}" pipeline -f "$T/spec.json"
    }
    put() { echo "$2" > "$P/data@master/$1"; commit data@master; }
    jobs_are() { # how many, and the newest one's state
      for i in $(seq 300); do
        if test "$(pfs list job | tail -n +2 | wc -l)" -eq "$1" && pfs list job | sed -n 2p | grep -q "$2"; then return 0; fi
        sleep 0.1
      done
      pfs list job; return 1
    }
    newest_job() { pfs list job | sed -n 2p | cut -d ' ' -f 1; }
    mkdir -p "$P/data@master"
)sh" + script;
}

}  // namespace pfs::test
