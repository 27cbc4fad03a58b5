# For scripts that install Debian packages; to be sourced.

# install_missing WHO PACKAGE...: asks the package database first and calls apt-get only for what is missing.
# Runs as root, or as a user who has sudo; WHO is told where it cannot.
install_missing() {
  who=$1
  shift
  [ -e /etc/debian_version ] || {
    echo "$who: this script knows Debian only; install these by hand: $*" >&2
    exit 1
  }

  missing=""
  for package in "$@"; do
    status=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)
    [ "$status" = installed ] || missing="$missing $package"
  done
  [ -n "$missing" ] || return 0

  if [ "$(id -u)" -eq 0 ]; then
    as_root() { env DEBIAN_FRONTEND=noninteractive "$@"; }
  elif command -v sudo >/dev/null 2>&1; then
    as_root() { sudo env DEBIAN_FRONTEND=noninteractive "$@"; }
  else
    echo "$who: missing packages:$missing; become root or install sudo, then run this again" >&2
    exit 1
  fi

  as_root apt-get update -q
  # shellcheck disable=SC2086 # a list of words
  as_root apt-get install -y -q --no-install-recommends $missing
}
