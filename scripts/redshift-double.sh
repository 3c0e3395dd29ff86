#!/usr/bin/env bash
# The double of Redshift by hand (tests/redshift-double): a throwaway Postgres, an S3 server and the
# double in front of them, on free loopback ports.
#
#   scripts/redshift-double.sh [run] [OPTIONS]   until Ctrl-C; a Postgres of its own, gone afterwards
#   scripts/redshift-double.sh start FOLDER      in the background, before $REDSHIFT_DOUBLE_POSTGRES_URL
#   scripts/redshift-double.sh stop FOLDER
#   scripts/redshift-double.sh build
#
# OPTIONS are the program's (--help). FOLDER gets the file `shell` with all addresses and passwords,
# which is there as long as the double is; of `run` it is target/redshift-double.
# BUILT (a folder with the program in it, as target/debug): nothing is built.
set -euo pipefail

# shellcheck source=scripts/common.sh
. "$(dirname "$0")/common.sh"

repo=$(cd "$(dirname "$0")/.." && pwd)
cd "$repo"

# shellcheck source=scripts/double.sh
. scripts/double.sh

# Together with barncat, which the demo needs too: alone it would have dependencies of other features.
build() { [ -n "${BUILT:-}" ] || cargo build --release --package barncat --package redshift-double --bins; }

run() {
  # Not local: the traps outlive the function.
  dir=$repo/target/redshift-double
  build
  trap 'scripts/servers.sh down --dir "$dir/postgres"' EXIT
  scripts/servers.sh up --dir "$dir/postgres" --only warehouse
  # shellcheck disable=SC1091  # made by servers.sh
  . "$dir/postgres/env"
  # Objects of another Postgres' tables are of no use.
  rm -rf --one-file-system "$dir/s3"
  "$BARNCAT_SERVERS_BIN/psql" -X -q -d "$BARNCAT_WAREHOUSE_ADMIN_URL" -c 'CREATE DATABASE dev'
  REDSHIFT_DOUBLE_POSTGRES_URL=${BARNCAT_WAREHOUSE_ADMIN_URL%/*}/dev "$(double_program redshift-double)" --folder "$dir" "$@" &
  pid=$!
  # Whoever ends the script ends the double, and Postgres after it.
  trap 'kill "$pid" 2>/dev/null || true' INT TERM
  wait "$pid" || wait "$pid"
}

case ${1:-run} in
  run) run "${@:2}" ;;
  -*) run "$@" ;;
  build) build ;;
  start)
    double_start redshift-double "${2:?start needs a folder}" ${BARNCAT_RECORD_INTO:+--record "$BARNCAT_RECORD_INTO"}
    ;;
  stop) double_stop redshift-double "${2:?stop needs a folder}" ;;
  *) fail "unknown command \`$1\`" "scripts/redshift-double.sh run, start, stop or build" ;;
esac
