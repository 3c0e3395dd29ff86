#!/usr/bin/env bash
# barncat, the binary pipe of two psqls, and the tools that people would take otherwise, side by side on the same servers: standby →
# warehouse, in interleaved rounds. Prints JSON on stdout and tables for docs/BENCHMARKS.md on stderr; both stay in target/bench.
#
#   scripts/bench-peers.sh
#
#   ROWS       5000000: of `orders`; the other workloads follow from it (wide, changing: a fifth; documents: a tenth; small: 200 tables of 0.0002)
#   RUNS       3 timed rounds; one more is watched by a reader and compared value by value
#   WORKLOADS  orders wide small documents changing
#   PEERS      pipe barncat sling dlt ingestr duckdb pgcopydb
#   PATIENCE   1800: seconds after which a peer's load is stopped
#   BUILT      a folder with a release build in it: nothing is built
#
# The peers are installed into target/bench/peers, each into a Python environment of its own (pgcopydb by apt-get): scripts/bench-peers/requirements.
# One that cannot do a workload, or fails, is told with its reason. `fsync` is off for all, as scripts/servers.sh sets it.
# The servers stay (scripts/bench.sh down).
set -euo pipefail

# shellcheck source=scripts/common.sh
. "$(dirname "$0")/common.sh"
# shellcheck source=scripts/bench-servers.sh
. "$(dirname "$0")/bench-servers.sh"

without_root="pgcopydb is missing, and installing it needs root"
without_root_hint="install pgcopydb, or leave it out: PEERS=\"pipe barncat sling dlt ingestr duckdb\""
peers=${PEERS:-pipe barncat sling dlt ingestr duckdb pgcopydb}
export PEERS=$peers

wants() { case " ${peers//,/ } " in *" $1 "*) return 0 ;; *) return 1 ;; esac; }

# An environment is what its list says, or is made anew.
environment() { # peer
  local home=$dir/peers/$1 list=scripts/bench-peers/requirements/$1.txt
  ! cmp --silent "$list" "$home/requirements.txt" || return 0
  say "installing $1"
  python3 -m venv --clear "$home" || fail "Python's venv is missing" "apt-get install python3-venv"
  "$home/bin/pip" install --quiet --disable-pip-version-check --requirement "$list"
  [ "$1" != sling ] || cp "$(find "$home" -name 'sling-linux-*' -type f -path '*/bin/*')" "$home/program"
  [ "$1" != sling ] || chmod +x "$home/program"
  cp "$list" "$home/requirements.txt"
}

[ -r /proc/self/stat ] || fail "the benchmark reads /proc, so it needs Linux"
type -P time >/dev/null || fail "GNU time is missing" "apt-get install time"
mkdir -p "$dir/peers"
for peer in sling dlt ingestr duckdb; do
  ! wants $peer || environment $peer
done
if wants pgcopydb && ! command -v pgcopydb >/dev/null; then apt_install pgcopydb >&2; fi
if wants barncat; then
  [ -n "${BUILT:-}" ] || cargo build --release --quiet --bin barncat
  BARNCAT=$(realpath "${BUILT:-${CARGO_TARGET_DIR:-target}/release}/barncat")
  export BARNCAT
fi
up_servers
# What an older build left there is not measured.
psql_at "$BARNCAT_WAREHOUSE_ADMIN_URL" -c 'SET client_min_messages = error' -c 'DROP SCHEMA IF EXISTS barncat, barncat_control, barncat_staging CASCADE'
exec python3 scripts/bench-peers
