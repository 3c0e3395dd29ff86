#!/usr/bin/env bash
# Whether the demo's checks find what goes wrong with data, and are silent where nothing does: a month of business, as a shop has
# when it gets a warehouse; 60 simulated days more, a run after each; then, on copies of what is there by then, one more day with each fault of tests/faults, and one without any.
# Fails when a fault is not found, when more than two checks were raised on the clean days, or a run went wrong in itself.
#
#   scripts/faults.sh              prints what found each fault
#   scripts/faults.sh --write      writes docs/FAULTS.md, too
#   scripts/faults.sh --keep       leaves the servers running, and what each run said (target/faults), for a look
#
# Servers and barncat take the simulated day for the real one, by libfaketime.
# BUILT (a folder with the programs in it, as target/debug): nothing is built. FAULTS="04 19": these faults alone.
set -euo pipefail

# shellcheck source=scripts/common.sh
. "$(dirname "$0")/common.sh"

repo=$(cd "$(dirname "$0")/.." && pwd)
dir=$repo/target/faults
days=60 before=30 scale=0.02 first_day=2026-11-01
cd "$repo"

say() { printf '== %s\n' "$1" >&2; }

psql_at() { "$BARNCAT_SERVERS_BIN/psql" -X -q -At -v ON_ERROR_STOP=1 -d "$@"; }

# shellcheck source=scripts/faketime.sh
. scripts/faketime.sh

# ---- the clock ------------------------------------------------------------------------------------

# How far the simulated moment is from the real one, in seconds.
ahead_of() { # moment
  printf '%+d' "$(($(date -u -d "$1" +%s) - $(date -u +%s)))"
}

# Servers read the file at each look at their clock.
set_clock() { # moment
  ahead=$(ahead_of "$1")
  printf '%s\n' "$ahead" >"$BARNCAT_SERVERS_DATA/clock.new"
  mv "$BARNCAT_SERVERS_DATA/clock.new" "$BARNCAT_SERVERS_DATA/clock"
}

# The business of a day ends at five in the morning, and then the run begins.
morning_after() { # days
  date -u -d "@$(($(date -u -d "$first_day 05:00" +%s) + $1 * 86400))" '+%F %T+00'
}

# ---- servers and runs -----------------------------------------------------------------------------

start_servers() {
  local member
  scripts/servers.sh down --dir "$dir/servers"
  rm -rf "$dir"
  scripts/servers.sh up --dir "$dir/servers" --only primary,warehouse >/dev/null
  # shellcheck disable=SC1091  # made by servers.sh
  . "$dir/servers/env"
  set_clock "$(morning_after "$before")"
  for member in primary warehouse; do
    scripts/servers.sh stop "$member" --dir "$dir/servers"
    LD_PRELOAD=$library FAKETIME_TIMESTAMP_FILE=$BARNCAT_SERVERS_DATA/clock FAKETIME_NO_CACHE=1 \
      FAKETIME_DONT_FAKE_MONOTONIC=1 FAKETIME_DISABLE_SHM=1 scripts/servers.sh start "$member" --dir "$dir/servers"
  done
  mkdir -p "$dir/said"
}

# A run may end as it likes: what it says of itself is judged in the end. Services have no part in it: their days are not simulated.
run_once() { # name shop warehouse
  SHOP_REPLICA_URL=${BARNCAT_PRIMARY_URL%/*}/$2 WAREHOUSE_URL=${BARNCAT_WAREHOUSE_URL%/*}/$3 STAGE=$dir/stage/$3 \
    LD_PRELOAD=$library FAKETIME=$ahead FAKETIME_DONT_FAKE_MONOTONIC=1 FAKETIME_DISABLE_SHM=1 \
    "$barncat" run --exclude 'raw_fx.*,raw_places.*' --project . --env faults --output json >"$dir/said/$1.json" 2>"$dir/said/$1.log" || true
}

play_day() { # number shop
  local until
  until=$(morning_after "$1")
  set_clock "$until"
  psql_at "${BARNCAT_PRIMARY_ADMIN_URL%/*}/$2" -v "until=$until" -f sql/demo/day.sql
}

# One fault on a copy of both databases, as they are on the last day before its run.
play_fault() { # file-or-none name
  local number=${2%%-*} since
  since=$(morning_after "$((before + days - 1))")
  psql_at "${BARNCAT_PRIMARY_ADMIN_URL%/*}/postgres" -c "CREATE DATABASE shop_$number TEMPLATE shop"
  psql_at "${BARNCAT_WAREHOUSE_ADMIN_URL%/*}/postgres" -c "CREATE DATABASE warehouse_$number TEMPLATE warehouse" \
    -c "GRANT CONNECT, CREATE ON DATABASE warehouse_$number TO barncat_warehouse"
  [ -z "$1" ] || PGOPTIONS='-c client_min_messages=warning -c TimeZone=UTC' \
    psql_at "${BARNCAT_PRIMARY_ADMIN_URL%/*}/shop_$number" -v "since=$since" -f "$1"
  run_once "fault-$2" "shop_$number" "warehouse_$number"
}

# Two at a time: each is small, and waits for one server or the other.
play_faults() {
  local file
  play_fault "" 00-none
  for file in tests/faults/*.sql; do
    case " ${FAULTS:-all} " in *" all "* | *" $(basename "${file%%-*}") "*) ;; *) continue ;; esac
    while [ "$(jobs -pr | wc -l)" -ge 2 ]; do wait -n; done
    play_fault "$file" "$(basename "$file" .sql)" &
  done
  wait
}

# ---- all of it ------------------------------------------------------------------------------------

write="" keep=""
for option; do
  case $option in
    --write) write=--write ;;
    --keep) keep=yes ;;
    *) fail "unknown option \`$option\`" "scripts/faults.sh [--write] [--keep]" ;;
  esac
done
[ -z "$write" ] || [ -z "${FAULTS:-}" ] || fail "some faults are not the catalogue" "--write without FAULTS"
library=$(faketime_library)
barncat=${BUILT:-${CARGO_TARGET_DIR:-target}/release}/barncat
[ -n "${BUILT:-}" ] || cargo build --release --bin barncat

[ -n "$keep" ] || trap 'scripts/servers.sh down --dir "$dir/servers"; rm -rf "$dir"' EXIT
trap 'exit 130' INT TERM
say "1. A shop, its warehouse, and a clock for both"
start_servers
psql_at "$BARNCAT_PRIMARY_ADMIN_URL" -v "scale=$scale" -f sql/demo/generate.sql
say "2. $days clean days"
for ((day = 0; day < before; day++)); do play_day "$day" shop; done
for ((day = 1; day <= days; day++)); do
  play_day "$((before + day - 1))" shop
  run_once "day-$(printf %02d "$day")" shop warehouse
done
say "3. One more day, with each fault"
play_day "$((before + days))" shop
play_faults
say "4. What was found"
scripts/faults.py "$dir/said" $write
