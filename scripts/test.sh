#!/usr/bin/env bash
# Runs the tests on throwaway servers: those that scripts/servers.sh up has started already, or its
# own, which are gone afterwards whatever happens. Arguments go to cargo nextest, or to cargo test
# where that is all there is. Without any nextest leaves out the loops of killed runs, which are for
# `make crash` (.config/nextest.toml).
set -euo pipefail

cd "$(dirname "$0")/.."

command -v cargo >/dev/null || {
  printf 'error: cargo is missing\nhint: install Rust from https://rustup.rs, then run make test again\n' >&2
  exit 1
}

if ! scripts/servers.sh status >/dev/null 2>&1; then
  trap 'scripts/servers.sh down' EXIT
  trap 'exit 130' INT TERM
  scripts/servers.sh up
fi
set -a
# shellcheck disable=SC1091  # made by servers.sh
. target/servers/env
set +a
# The tests start servers of their own and compare by psql; pgbench is the data nobody here designed.
PATH=$BARNCAT_SERVERS_BIN:$PATH
# For the S3 servers inside the tests; whatever account this machine is logged in to stays out of it.
export AWS_ACCESS_KEY_ID=barncat-tests AWS_SECRET_ACCESS_KEY=only-for-servers-inside-the-tests
export AWS_EC2_METADATA_DISABLED=true
unset AWS_SESSION_TOKEN AWS_PROFILE
# Each test has a database of its own, and the launcher goes round all of them once a `naptime`: with a thousand of them
# there is always a worker under way, and a third of a small machine is gone.
for url in "$BARNCAT_PRIMARY_ADMIN_URL" "$BARNCAT_WAREHOUSE_ADMIN_URL"; do
  psql -qAt "$url" -c "ALTER SYSTEM SET autovacuum_naptime = '1h'" -c "SELECT pg_reload_conf()" >/dev/null
done
# What the tests send to Redshift's double: scripts/check.sh has others judge it.
export BARNCAT_RECORD_INTO=$PWD/target/redshift-record
[ $# -gt 0 ] || rm -rf --one-file-system "$BARNCAT_RECORD_INTO"

if cargo nextest --version >/dev/null 2>&1; then
  [ $# -gt 0 ] || set -- --profile quick
  cargo nextest run --workspace --features failpoints "$@"
  # nextest leaves the examples in the docs out.
  [ "$*" != "--profile quick" ] || cargo test --quiet --workspace --doc --features failpoints
else
  cargo test --workspace --features failpoints "$@"
fi
