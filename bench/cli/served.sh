# A pfsd of a benchmark's own, in a directory that goes with it; to be sourced, with the directory of pfs and pfsd in $bin.
# Gives $work, in which the store is `store` and the mount `mnt`; commands find the daemon by the environment.
work=$(mktemp -d "${TMPDIR:-/tmp}/pfs-bench-XXXXXX")
export PATH="$bin:$PATH" PFS_ADDRESS="unix:$work/pfsd.sock" PFS_CONFIG="$work/config.json"

mkdir "$work/mnt"
pfsd --store "$work/store" --mount "$work/mnt" --socket "$work/pfsd.sock" > "$work/log" 2>&1 &
pid=$!
clean() {
  kill "$pid" 2> /dev/null || true
  wait "$pid" 2> /dev/null || true
  rm -rf "$work"
}
trap clean EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP
until pfs version > /dev/null 2>&1; do kill -0 "$pid" || { cat "$work/log" >&2; exit 1; }; sleep 0.05; done

now() { date +%s%N; }
