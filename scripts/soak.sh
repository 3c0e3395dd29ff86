#!/usr/bin/env bash
# A service that lives through much: a schedule every 5 seconds with data that change, while the service is killed and
# replaced, each database restarts, the stage's disk is full, and clocks step by an hour. Fails unless every tick is accounted for,
# nothing leaks, /metrics is what the control database says, and the tables are the source's in the end.
#
#   scripts/soak.sh [MINUTES]      40 of them; 3 in CI
#
# Its stage is a file system of 24 MB in a mount namespace of its own, which nobody else sees and which goes with it. Clocks step by
# libfaketime. BUILT (a folder with the program in it, as target/debug): nothing is built. SEED: the same faults again.
# What it ran and said stays in target/soak when it fails.
set -euo pipefail

# shellcheck source=scripts/common.sh
. "$(dirname "$0")/common.sh"

repo=$(cd "$(dirname "$0")/.." && pwd)
dir=$repo/target/soak
minutes=${1:-40}
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

[[ $minutes =~ ^([3-9]|[1-9][0-9]+)$ ]] || fail "\`$minutes\` is no number of minutes from 3 on" "scripts/soak.sh 40"
needs_apart
library=$(faketime_library)
barncat=${BUILT:-${CARGO_TARGET_DIR:-target}/release}/barncat
[ -n "${BUILT:-}" ] || cargo build --release --bin barncat

down
rm -rf --one-file-system "$dir"
trap down EXIT
trap 'exit 130' INT TERM
say "servers: a primary, its standby, a warehouse, and a control database beside them"
scripts/servers.sh up --dir "$dir/servers" >/dev/null
scripts/servers.sh up --dir "$dir/control" --only warehouse >/dev/null
apart python3 scripts/soak "$dir" "$minutes" "$(realpath "$barncat")" "$library"
rm -rf --one-file-system "$dir/project" "$dir/said"
