#!/usr/bin/env bash
# Whether the torture finds what it is there for. Each patch of scripts/torture/planted plants one bug into a copy of the tree,
# which is built and tortured until something is found. Fails if one of them is not found within its time.
#
#   scripts/torture-planted.sh [MINUTES] [NAME…]     10 of them for each; NAME: only the patches whose names begin so
#
# The copy and what was found lie in target/planted. CARGO_TARGET_DIR: where it is built, target/planted/target unless it is said.
# SEED: of all of them; else each has its own.
set -euo pipefail

# shellcheck source=scripts/common.sh
. "$(dirname "$0")/common.sh"

repo=$(cd "$(dirname "$0")/.." && pwd)
dir=$repo/target/planted
minutes=${1:-10}
shift || true
cd "$repo"

say() { printf '== %s\n' "$1" >&2; }

copy() {
  rm -rf "$dir/tree"
  mkdir -p "$dir/tree"
  # What git knows of, as it is now.
  git ls-files -z | tar --null --files-from=- -cf - | tar -xf - -C "$dir/tree"
}

is_chosen() { # patch names…
  local name
  [ $# -gt 1 ] || return 0
  for name in "${@:2}"; do
    case $(basename "$1") in "$name"*) return 0 ;; esac
  done
  return 1
}

# Says by which invariant it was found, and after how long.
play() { # patch
  local name started=$SECONDS status=0
  name=$(basename "$1" .patch)
  patch -s -p1 -d "$dir/tree" <"$1" || fail "$name does not fit the sources any more" "write the patch anew"
  (cd "$dir/tree" && cargo build --quiet --features failpoints --package barncat --package redshift-double --package alert-double --bins)
  say "$name: built in $((SECONDS - started)) s"
  BUILT=$CARGO_TARGET_DIR/debug UNTIL_FOUND=1 DIR=$dir/$name scripts/torture.sh "$minutes" ${SEED:+"$SEED"} >"$dir/$name.log" 2>&1 || status=$?
  patch -s -R -p1 -d "$dir/tree" <"$1"
  if [ "$status" -eq 1 ] && grep -q '^VIOLATION ' "$dir/$name.log" && ! grep -q '^VIOLATION the torture itself' "$dir/$name.log"; then
    printf '✓ %s: %s\n' "$name" "$(head -n 2 "$dir/$name/violations/01.txt" | paste -sd ' ')"
  else
    printf '✗ %s: not found (status %s, %s)\n' "$name" "$status" "$dir/$name.log"
    return 1
  fi
}

[[ $minutes =~ ^([3-9]|[1-9][0-9]+)$ ]] || fail "\`$minutes\` is no number of minutes from 3 on" "scripts/torture-planted.sh 10"
command -v patch >/dev/null || fail "patch is missing" "apt-get install patch"
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$dir/target}
copy
missed=0
for patch in scripts/torture/planted/*.patch; do
  is_chosen "$patch" "$@" || continue
  play "$repo/$patch" || missed=$((missed + 1))
done
[ "$missed" -eq 0 ] || fail "$missed planted bugs were not found"
