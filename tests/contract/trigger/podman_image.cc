#include "contract/trigger/podman_image.h"

#include <stdexcept>

#include "trigger/internal/process.h"

namespace pfs::test {

std::string busybox_image() {
  const std::string image = "localhost/pfs-test-busybox:2";
  // a tar stream for podman: bin/busybox with the names that the tests use, and a passwd
  const std::string script = R"sh(
    set -eu
    podman image exists "$0" && exit 0
    root=$(mktemp -d)
    trap 'rm -rf "$root"' EXIT
    mkdir -p "$root/bin" "$root/etc" "$root/tmp" "$root/pfs"
    cp "$(command -v busybox)" "$root/bin/busybox"
    for name in sh echo cat id sleep true; do ln -s busybox "$root/bin/$name"; done
    echo 'root:x:0:0::/:/bin/sh' > "$root/etc/passwd"
    echo 'nobody:x:65534:65534::/:/bin/sh' >> "$root/etc/passwd"
    tar -C "$root" -c . | podman import - "$0" >/dev/null
  )sh";
  const auto made = trigger::run_process({"sh", "-c", script, image});
  if (!made || !made->succeeded()) {
    throw std::runtime_error("no image: " + (made ? made->last_error_line() : made.error().message));
  }
  return image;
}

}  // namespace pfs::test
