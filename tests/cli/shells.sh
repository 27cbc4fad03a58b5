#!/bin/sh
# Completes commands in each shell as its user would: shells.sh DIRECTORY_OF_BINARIES. A shell that is missing fails it.
set -eu
export PATH="$1:$PATH"
work=$(mktemp -d "${TMPDIR:-/tmp}/pfs-shells-XXXXXX")
trap 'rm -rf "$work"' EXIT
for shell in bash zsh fish; do pfs completion "$shell" > "$work/$shell"; done
fail() { echo "$1: completes to '$2', not to '$3'" >&2; exit 1; }
is() { [ "$2" = "$3" ] || fail "$@"; }

in_bash() { # the words; the last one is completed
  bash --norc -c 'source "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMP_LINE="$*"; COMP_POINT=${#COMP_LINE}
    $(complete -p "$1" | sed "s/.*-F \([^ ]*\).*/\1/") "$1" "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
    echo ${COMPREPLY[*]}' bash "$work/bash" "$@"
}
is bash "$(in_bash pfs inspect rep)" repo
is bash "$(in_bash pachctl create pi)" pipeline

in_fish() { HOME=$work fish --no-config -c "source $work/fish; complete -C '$1'"; }
is fish "$(in_fish 'pfs inspect rep')" repo
is fish "$(in_fish 'pachctl create pi')" pipeline

# zsh completes in its line editor alone, so on a terminal; `zpty -r` returns once the pattern was printed
cat > "$work/session" << 'END'
zmodload zsh/zpty
zpty shell zsh -f -i
zpty -w shell "PS1=; autoload -U compinit; compinit -u -D; source $1; unsetopt beep; print ready-\$((40 + 2))"
zpty -r shell seen '*ready-42*' || exit 1
for line in 'pfs inspect rep:repo' 'pachctl create pi:pipeline'; do
  zpty -w -n shell "${line%:*}"$'\t\C-aprint is \n'
  zpty -r shell seen "*is ${${line%:*}% *} ${line#*:}*" || exit 1
done
print completed
END
is zsh "$(HOME=$work timeout 60 zsh -f "$work/session" "$work/zsh" | tail -n 1)" completed
