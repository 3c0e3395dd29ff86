#!/usr/bin/env bash
# Random projects, random traffic and random faults, for as long as one likes, while observers that share nothing with barncat
# look at everything that must always hold. docs/RELIABILITY.md tells which faults and which invariants. Fails at any violation.
#
#   scripts/torture.sh [MINUTES] [SEED]     20 of them, from 3 on; another seed each time
#   scripts/torture.sh 5 SEED               the short form
#
# Faults and projects follow from the seed, their moments do not quite: processes run as fast as the machine lets them.
# Programs with fail points (--features failpoints) are killed at each of them, too.
# BUILT (a folder with barncat, redshift-double and alert-double, as target/debug): nothing is built. UNTIL_FOUND=1: the first
# violation ends it. DIR: another folder than target/torture. It stays when something was found, with violations/, history.jsonl
# and all that barncat said; report.txt and report.json stay always.
set -euo pipefail

# shellcheck source=scripts/common.sh
. "$(dirname "$0")/common.sh"

repo=$(cd "$(dirname "$0")/.." && pwd)
dir=${DIR:-$repo/target/torture}
minutes=${1:-20} seed=${2:-$((RANDOM * 32768 + RANDOM))}
cd "$repo"

say() { printf '== %s\n' "$1" >&2; }

# shellcheck source=scripts/faketime.sh
. scripts/faketime.sh

# shellcheck source=scripts/apart.sh
. scripts/apart.sh

down() {
  scripts/servers.sh down --dir "$dir/servers"
  scripts/servers.sh down --dir "$dir/control"
}

[[ $minutes =~ ^([3-9]|[1-9][0-9]+)$ ]] || fail "\`$minutes\` is no number of minutes from 3 on" "scripts/torture.sh 20"
[[ $seed =~ ^[0-9]+$ ]] || fail "\`$seed\` is no seed" "a whole number"
needs_apart
library=$(faketime_library)
built=${BUILT:-${CARGO_TARGET_DIR:-target}/release}
[ -n "${BUILT:-}" ] || cargo build --release --features failpoints --package barncat --package redshift-double --package alert-double --bins

down
rm -rf --one-file-system "$dir"
trap down EXIT
trap 'exit 130' INT TERM
say "seed $seed; servers: a primary, its standby, a warehouse, and a control database beside them"
scripts/servers.sh up --dir "$dir/servers" >/dev/null
scripts/servers.sh up --dir "$dir/control" --only warehouse >/dev/null
apart python3 scripts/torture "$dir" "$minutes" "$seed" "$(realpath "$built")" "$library" ${UNTIL_FOUND:+--until-found} || {
  say "$dir has what was done and said; scripts/torture.sh $minutes $seed does the same again"
  exit 1
}
rm -rf --one-file-system "$dir"/round-*
