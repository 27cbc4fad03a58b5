# An ordinary user, `visitor`, who has just got an account on a machine as a newcomer has it; to be sourced by tests of root.

# in_namespaces COMMAND...: with mounts and processes of its own, which end with it. As podman without root leaves a process that
# keeps its namespaces, nothing less takes everything away again.
in_namespaces() {
  unshare --mount --pid --fork --kill-child --mount-proc "$@"
}

# make_visitor PLACE: within in_namespaces; PLACE is a directory that everybody may enter. Everybody may open /dev/fuse, nobody
# may share a mount, and what is changed of /etc is a copy.
make_visitor() {
  visitor_place=$1
  cp -a /etc "$visitor_place/etc" # useradd replaces files, and so wants a directory of its own
  mount --bind "$visitor_place/etc" /etc
  echo "# nobody shares a mount" > /etc/fuse.conf
  mknod "$visitor_place/fuse" c 10 229 || exit 77
  chmod 666 "$visitor_place/fuse"
  mount --bind "$visitor_place/fuse" /dev/fuse
  useradd --create-home --home-dir "$visitor_place/home" --no-log-init visitor
  install -d -m 700 -o visitor -g visitor "$visitor_place/run"
}

# visitor COMMAND...: as that user, with nothing of our environment; who wants more variables says `visitor env NAME=VALUE ...`.
visitor() {
  setpriv --reuid visitor --regid visitor --init-groups env -i HOME="$visitor_place/home" USER=visitor \
    XDG_RUNTIME_DIR="$visitor_place/run" PATH=/usr/local/bin:/usr/bin:/bin "$@"
}

# Whether there is what podman takes for users; says what is not.
visitors_have_containers() {
  for program in podman newuidmap newgidmap; do
    command -v "$program" > /dev/null || { echo "skipped: no $program"; return 1; }
  done
}
