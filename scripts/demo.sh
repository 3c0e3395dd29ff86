#!/usr/bin/env bash
# The demo from nothing: servers, roles, data, barncat built, one run, and the proof that source and
# warehouse are equal.
#
#   scripts/demo.sh up      what is there already is kept: a second time only loads again
#   scripts/demo.sh down    stops the servers and removes .demo
#
# SCALE (default 1: 1.4 million rows) sizes the data, when it is first made.
set -euo pipefail

repo=$(cd "$(dirname "$0")/.." && pwd)
dir=$repo/.demo
scale=${SCALE:-1}
cd "$repo"

fail() {
  printf 'error: %s\n' "$1" >&2
  [ $# -lt 2 ] || printf 'hint: %s\n' "$2" >&2
  exit 1
}

say() { printf '\n== %s\n' "$1" >&2; }

require_cargo() {
  command -v cargo >/dev/null && return
  # rustup writes here, and only a new shell has it in its PATH.
  # shellcheck disable=SC1091  # it is the user's own
  if [ -f "$HOME/.cargo/env" ]; then . "$HOME/.cargo/env" && command -v cargo >/dev/null && return; fi
  fail "cargo is missing" "install Rust from https://rustup.rs, then run make demo again"
}

psql_at() { "$BARNCAT_SERVERS_BIN/psql" -X -q -At -v ON_ERROR_STOP=1 -d "$@"; }

# The comment is set by the transaction that makes the data: it is there whole, or not at all.
make_data() {
  local found
  found=$(psql_at "$BARNCAT_PRIMARY_ADMIN_URL" -c "SELECT shobj_description(oid, 'pg_database')
    FROM pg_database WHERE datname = current_database()")
  if [ -n "$found" ]; then
    printf 'the shop is there already (%s); make demo-down removes it\n' "$found" >&2
  else
    psql_at "$BARNCAT_PRIMARY_ADMIN_URL" -v "scale=$scale" -f sql/demo/generate.sql
  fi
  scripts/servers.sh catch-up --dir "$dir"
}

# What a person needs in their shell to look around; it holds the throwaway servers' passwords.
write_environment() {
  (
    umask 077
    printf 'export SHOP_PRIMARY_URL=%s\nexport SHOP_REPLICA_URL=%s\nexport WAREHOUSE_URL=%s\n' \
      "$BARNCAT_PRIMARY_ADMIN_URL" "$BARNCAT_REPLICA_URL" "$BARNCAT_WAREHOUSE_URL" >"$dir/shell.new"
  )
  mv "$dir/shell.new" "$dir/shell"
}

up() {
  require_cargo
  say "1. PostgreSQL: a primary, its standby, a warehouse"
  scripts/servers.sh up --dir "$dir"
  # shellcheck disable=SC1091  # made by servers.sh
  . "$dir/env"
  write_environment
  say "2. The shop's data"
  make_data
  say "3. barncat itself (the first build takes minutes)"
  cargo build --release --bin barncat
  say "4. barncat run: standby → stage → warehouse"
  # shellcheck disable=SC1091
  . "$dir/shell"
  "${CARGO_TARGET_DIR:-target}/release/barncat" run --project .
  say "5. Source and warehouse, counted and hashed by both servers"
  scripts/compare.sh --dir "$dir"
  look_around
}

look_around() {
  local psql=psql
  command -v psql >/dev/null || psql=$BARNCAT_SERVERS_BIN/psql
  say "Look around"
  cat >&2 <<TEXT
  . .demo/shell                                    # the two addresses, for this shell
  $psql "\$WAREHOUSE_URL" -c 'select * from barncat.tables'
  $psql "\$WAREHOUSE_URL" -c 'select * from raw_shop.monthly_revenue order by revenue desc limit 10'
  target/release/barncat plan                      # what a run would do, and why
  target/release/barncat history                   # what ran, what it cost
  target/release/barncat status
  $psql "\$SHOP_PRIMARY_URL" -c 'update orders set tip = 2, updated_at = now() where id % 1000 = 0'
  target/release/barncat run                       # brings what is new or changed, and nothing else
  make demo                                        # loads again
  make demo-down                                   # removes servers and data
TEXT
}

down() {
  # The stage may be of another layout by now; the whole folder is ours.
  scripts/servers.sh down --dir "$dir"
  rm -rf "$dir"
}

case ${1:-up} in
  up) up ;;
  down) down ;;
  *) fail "unknown command \`$1\`" "scripts/demo.sh up or down" ;;
esac
