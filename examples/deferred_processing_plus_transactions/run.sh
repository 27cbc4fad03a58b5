#!/bin/sh
# The story of the README on a running pfsd, and after each step the list of all jobs is what it should be.
#
# Usage: run.sh            first with commands of pfs, then once more with cp, mv and ln on the mount
#        run.sh commands   the first alone
#        run.sh mount      the second alone
#        run.sh --clean    takes away what it made: both pipelines, and the repos images_dp_1, images_dp_2 and edges_dp
#
# PFS_MOUNT is where pfs is mounted (default /pfs), PFS_ADDRESS how `pfs` reaches pfsd, PFS_PICTURES where the pictures are
# kept (default ~/.cache/pfs/pictures).
set -eu
here=$(cd "$(dirname "$0")" && pwd)
mount=${PFS_MOUNT:-/pfs}
pictures=${PFS_PICTURES:-${XDG_CACHE_HOME:-$HOME/.cache}/pfs/pictures}
PATH=$PATH:$here/../../build/bin
patience=120 # seconds until jobs must be done

fail() {
  echo "deferred_processing_plus_transactions: $*" >&2
  exit 1
}

clean() {
  for pipeline in montage_dp edges_dp; do pfs delete pipeline "$pipeline" --yes || true; done
  for repo in images_dp_1 images_dp_2; do pfs delete repo "$repo" --yes || true; done
}

# All jobs of the two pipelines, oldest first: "edges_dp 1+0/1 success".
jobs() {
  pfs list job | awk '$2 == "edges_dp" || $2 == "montage_dp" {
    for (i = 3; $i != "/"; ++i) if (i == NF) next
    line[++count] = $2 " " $(i - 3) "+" $(i - 1) "/" $(i + 1) " " $NF
  } END { while (count > 0) print line[count--] }'
}

# Waits until the jobs are those of the steps before and these, and no others. A job is recorded together with the HEAD that
# moves, so one that should not be would be in the list by then.
expected=
step() { # WHAT [JOB...]
  what=$1
  shift
  for job in "$@"; do
    expected="$expected${expected:+
}$job success"
  done
  waited=0
  until [ "$(jobs)" = "$expected" ]; do
    [ "$waited" -lt $((patience * 10)) ] && ! jobs | grep -q -e failure -e killed || {
      printf 'expected:\n%s\nthe jobs are:\n' "$expected" >&2
      pfs list job >&2
      pfs logs -p edges_dp >&2 || true
      pfs logs -p montage_dp >&2 || true
      fail "$what"
    }
    waited=$((waited + 1))
    sleep 0.1
  done
  [ $# -gt 0 ] || set -- "no job"
  echo "$what: $*"
}

# How many files the branch has, and how many pictures the newest montage shows.
has() { # BRANCH NUMBER
  [ "$(find "$mount/$1" -type f | wc -l)" -eq "$2" ] || fail "$1 has not $2 files: $(ls "$mount/$1")"
}
shows() { # NUMBER
  pfs logs -p montage_dp | tail -n 1 | grep -q "montage.png: $1 pictures" || fail "the montage is not of $1 pictures"
  [ -s "$mount/montage_dp@master/montage.png" ] || fail "there is no montage.png"
}

# What both forms have in common at the beginning and at the end.
begin() {
  expected=
  ! pfs inspect repo images_dp_1 > /dev/null 2>&1 || fail "there is a repo images_dp_1 already; run.sh --clean takes it away"
}
pipelines() {
  cat "$here/edges_dp.json" "$here/montage_dp.json" | pfs create pipeline -f -
  step "two pipelines over nothing"
}
loaded() {
  has edges_dp@dev 3
  [ "$(pfs list branch edges_dp --raw | grep -c '"head": ""')" -eq 1 ] || fail "edges_dp@master should have no HEAD yet"
}
end() {
  has edges_dp@dev 6
  has edges_dp@master 6
  shows 11
  echo "deferred_processing_plus_transactions, with $1: every job as it should be"
}

with_commands() {
  begin
  cd "$pictures"
  pfs create repo images_dp_1
  pfs create repo images_dp_2
  pipelines

  pfs put file images_dp_1@master -i "$here/images.txt"
  step "1. a picture" "edges_dp 1+0/1"
  pfs put file images_dp_1@master -i "$here/images2.txt"
  step "   two more: one datum each, the first is skipped" "edges_dp 2+1/3"
  pfs put file images_dp_2@master -i "$here/images3.txt"
  step "   pictures for the montage, to which nothing was released" "montage_dp 0+0/0"
  loaded

  pfs put file images_dp_1@master -f brick.png
  step "2. another picture, and no montage" "edges_dp 1+3/4"

  pfs create branch edges_dp@master --head dev
  step "3. dev is released to master" "montage_dp 1+0/1"
  shows 6

  pfs put file images_dp_1@master -f grass.png
  step "4. the next picture, and no montage" "edges_dp 1+4/5"

  pfs create branch edges_dp@master --head dev
  step "5. released" "montage_dp 1+0/1"
  shows 7

  pfs put file images_dp_2@master -f moon.png
  step "6. a picture that needs no edges: a montage at once" "montage_dp 1+0/1"
  shows 8

  pfs start transaction
  pfs start commit images_dp_2@master
  pfs create branch edges_dp@master --head dev
  pfs finish transaction
  step "7. in one transaction a commit is started and dev is released"
  pfs put file images_dp_2@master -f clock_motion.png
  step "8. a picture into that commit"
  pfs finish commit images_dp_2@master
  step "   the commit is finished: one montage" "montage_dp 1+0/1"
  shows 9

  # In the steps before, dev was master's HEAD already. Here both branches change, and it is one montage all the same.
  pfs put file images_dp_1@master -f gravel.png
  step "9. one more picture, and no montage" "edges_dp 1+5/6"
  pfs start transaction
  pfs start commit images_dp_2@master
  pfs create branch edges_dp@master --head dev
  pfs finish transaction
  pfs put file images_dp_2@master -f brick.png
  step "   a transaction that changes both branches"
  pfs finish commit images_dp_2@master
  step "   the commit is finished: one montage of both changes" "montage_dp 1+0/1"
  end "commands"
}

with_the_mount() {
  begin
  cd "$pictures"
  mkdir "$mount/images_dp_1@staging" "$mount/images_dp_1@master" "$mount/images_dp_2@staging" "$mount/images_dp_2@master"
  pipelines

  cp rocket.jpg "$mount/images_dp_1@staging/"
  ln -s images_dp_1@staging "$mount/images_dp_1@master"
  step "1. a picture" "edges_dp 1+0/1"
  cp chelsea.png coffee.png "$mount/images_dp_1@staging/"
  ln -s images_dp_1@staging "$mount/images_dp_1@master"
  step "   two more: one datum each, the first is skipped" "edges_dp 2+1/3"
  mkdir "$mount/images_dp_2@staging/two"
  cp camera.png astronaut.png "$mount/images_dp_2@staging/two/"
  mv "$mount/images_dp_2@staging/two" "$mount/images_dp_2@master/"
  step "   pictures for the montage, to which nothing was released" "montage_dp 0+0/0"
  loaded

  cp brick.png "$mount/images_dp_1@staging/"
  ln -s images_dp_1@staging "$mount/images_dp_1@master"
  step "2. another picture, and no montage" "edges_dp 1+3/4"

  ln -s edges_dp@dev "$mount/edges_dp@master"
  step "3. dev is released to master" "montage_dp 1+0/1"
  shows 6

  cp grass.png "$mount/images_dp_1@staging/"
  ln -s images_dp_1@staging "$mount/images_dp_1@master"
  step "4. the next picture, and no montage" "edges_dp 1+4/5"

  ln -s edges_dp@dev "$mount/edges_dp@master"
  step "5. released" "montage_dp 1+0/1"
  shows 7

  cp moon.png "$mount/images_dp_2@master/"
  step "6. a picture that needs no edges: a montage at once" "montage_dp 1+0/1"
  shows 8

  cp clock_motion.png "$mount/images_dp_2@staging/"
  ln -s edges_dp@dev "$mount/edges_dp@master"
  step "7. a picture is put aside, and dev is released as it was"
  mv "$mount/images_dp_2@staging/clock_motion.png" "$mount/images_dp_2@master/"
  step "8. the picture is moved to master: one montage" "montage_dp 1+0/1"
  shows 9

  # The mount has no transaction over two repos: where both branches change, it is two montages.
  cp gravel.png "$mount/images_dp_1@staging/"
  ln -s images_dp_1@staging "$mount/images_dp_1@master"
  step "9. one more picture, and no montage" "edges_dp 1+5/6"
  ln -s edges_dp@dev "$mount/edges_dp@master"
  step "   released" "montage_dp 1+0/1"
  cp brick.png "$mount/images_dp_2@staging/"
  mv "$mount/images_dp_2@staging/brick.png" "$mount/images_dp_2@master/"
  step "   and a picture for the montage" "montage_dp 1+0/1"
  end "the mount"
}

case "${1:-both}" in
  --clean)
    clean
    exit 0
    ;;
  both | commands | mount) ;;
  *)
    echo "usage: run.sh [commands|mount|--clean]" >&2
    exit 2
    ;;
esac
[ -d "$mount/.pfs" ] || fail "no pfs is mounted at $mount; start it with make run, or set PFS_MOUNT"
"$here/../edges/build-image.sh"
"$here/../edges/pictures.sh" "$pictures"
case "${1:-both}" in
  commands) with_commands ;;
  mount) with_the_mount ;;
  both)
    with_commands
    clean
    with_the_mount
    ;;
esac
