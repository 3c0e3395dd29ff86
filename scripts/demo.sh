#!/usr/bin/env bash
# The demo from nothing: servers, roles, data, barncat built, one run for each warehouse, and the proof
# that source and warehouse are equal.
#
#   scripts/demo.sh up [WAREHOUSE…]   postgres (the default), redshift (a double of it, by the Data API),
#                                     redshift-wire; what is there already is kept: a second time only
#                                     loads again
#   scripts/demo.sh break [WAREHOUSE] after `up`: nobody may read the optional `fx_rates` any more; a run is
#                                     degraded, and `barncat why` says what that holds up
#   scripts/demo.sh mend [WAREHOUSE]  makes it readable again, and runs
#   scripts/demo.sh damage [WAREHOUSE] after `up`: the shop writes wrong fees into orders; a check before the publish
#                                     holds them back, the last good table stays, and Slack is told
#   scripts/demo.sh repair [WAREHOUSE] the shop corrects them; what a run then says in the same thread
#   scripts/demo.sh down              stops the servers and removes .demo
#
# Rates and a geocoder over HTTP are scripts/demo-services.py, on loopback; .demo/services/asked is what it counted itself.
# Slack is a double of ours (tests/alert-double), which refuses what Slack would; .demo/alerts/slack has its channels.
#
# SCALE (default 1: 1.4 million rows) sizes the data, when it is first made.
# BUILT (a folder with the programs in it, as target/debug): nothing is built.
set -euo pipefail

# shellcheck source=scripts/common.sh
. "$(dirname "$0")/common.sh"

repo=$(cd "$(dirname "$0")/.." && pwd)
dir=$repo/.demo
scale=${SCALE:-1}
cd "$repo"

# shellcheck source=scripts/double.sh
. scripts/double.sh

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

# The file by which a shell reaches all that a warehouse's demo needs.
shell_of() { case $1 in postgres) echo "$dir/shell" ;; *) echo "$dir/shell-$1" ;; esac; }

# What a person needs in their shell to look around; it holds the throwaway servers' passwords.
write_shell() { # warehouse lines…
  local file
  file=$(shell_of "$1")
  (
    umask 077
    {
      printf 'export SHOP_PRIMARY_URL=%s\nexport SHOP_REPLICA_URL=%s\n' "$BARNCAT_PRIMARY_ADMIN_URL" "$BARNCAT_REPLICA_URL"
      printf '[ ! -e %q ] || . %q\n' "$dir/alerts/shell" "$dir/alerts/shell" "$dir/services/shell" "$dir/services/shell"
      # The dashboard is where it is said to be, and asks for nothing.
      echo "unset BARNCAT_LISTEN BARNCAT_TOKEN"
      printf '%s\n' "${@:2}"
    } >"$file.new"
  )
  mv "$file.new" "$file"
}

# Databases of the warehouse's own on the demo's Postgres: one behind the double, one for runs and locks.
make_databases() { # warehouse
  local admin=$BARNCAT_WAREHOUSE_ADMIN_URL behind=${1//-/_} name
  for name in "$behind" "${behind}_control"; do
    [ -n "$(psql_at "$admin" -c "SELECT 1 FROM pg_database WHERE datname = '$name'")" ] ||
      psql_at "$admin" -c "CREATE DATABASE $name"
  done
  PGOPTIONS='-c client_min_messages=warning' psql_at "${admin%/*}/${behind}_control" -v role=barncat_control -v "database=${behind}_control" \
    -v schema=barncat_control -v test_schema=barncat_control_test -f sql/roles/control.sql >/dev/null
}

start_warehouse() {
  case $1 in
    postgres) write_shell postgres "unset BARNCAT_ENV" "export WAREHOUSE_URL=$BARNCAT_WAREHOUSE_URL" ;;
    *)
      local behind=${1//-/_}
      make_databases "$1"
      REDSHIFT_DOUBLE_POSTGRES_URL=${BARNCAT_WAREHOUSE_ADMIN_URL%/*}/$behind \
        scripts/redshift-double.sh start "$dir/$1"
      write_shell "$1" "export CONTROL_URL=${BARNCAT_CONTROL_URL%/*}/${behind}_control" \
        "export BARNCAT_ENV=$1" ". $(printf %q "$dir/$1/shell")"
      ;;
  esac
}

barncat_at() { # warehouse arguments…
  # shellcheck disable=SC1090  # made by write_shell
  (. "$(shell_of "$1")" && "$barncat" "${@:2}" --project .)
}

# The services over HTTP: Python's own library, which the scripts need anyway.
services_pid() {
  local pid
  pid=$(sed -n "s/^export DEMO_SERVICES_PID='\([0-9]*\)'$/\1/p" "$dir/services/shell" 2>/dev/null)
  [ -n "$pid" ] && grep -q demo-services "/proc/$pid/cmdline" 2>/dev/null && echo "$pid"
}

start_services() {
  local pid
  services_pid >/dev/null && return
  command -v python3 >/dev/null || fail "python3 is missing" "it serves the demo's rates and places: scripts/demo-services.py"
  mkdir -p "$dir/services"
  rm -f "$dir/services/shell"
  # A group of its own: Ctrl-C is for whoever started it.
  setsid python3 scripts/demo-services.py "$dir/services" </dev/null >"$dir/services/log" 2>&1 &
  pid=$!
  until [ -e "$dir/services/shell" ]; do
    kill -0 "$pid" 2>/dev/null || fail "the services did not start: $(tail -n 1 "$dir/services/log")"
    sleep 0.1
  done
}

stop_services() {
  local pid
  pid=$(services_pid) || return 0
  kill "$pid" 2>/dev/null || true
  while [ -e "/proc/$pid" ]; do sleep 0.1; done
}

# What the services counted themselves, and what of the day's allowance barncat has counted as used.
show_services() { # warehouse
  local used
  # shellcheck disable=SC1090  # made by write_shell
  used=$(. "$(shell_of "$1")" && psql_at "${CONTROL_URL:-$WAREHOUSE_URL}" -c "SELECT count FROM barncat_control.allowance_calendar
    WHERE source = 'places' AND unit = 'day' AND now() >= starts_at AND now() < ends_at")
  printf '\n  asked so far, as the services count it: %s\n' "$(scripts/demo-services.py --count "$dir/services")" >&2
  printf '  of the %s requests that places may be sent a day, %s are used by runs of this warehouse\n' \
    "$(sed -n 's/^limits = .*day = \([0-9]*\).*/\1/p' barncat.toml)" "${used:-0}" >&2
}

load() { # warehouse
  say "4. $1: barncat run, standby and services → stage → warehouse, and the models and checks of sql/"
  start_warehouse "$1"
  barncat_at "$1" run
  show_services "$1"
  say "5. $1: the services again: no address is asked about twice, and of the rates the last days alone"
  barncat_at "$1" run source:fx source:places
  show_services "$1"
  say "6. $1: source and warehouse, counted and hashed by both servers"
  scripts/compare.sh --dir "$dir" "$1"
  [ "$1" != postgres ] || return 0
  say "7. $1: the same by barncat itself, row by row"
  # Rows of a service are counted alone, and each count asks for all of them.
  barncat_at "$1" verify 'raw_shop.*'
}

# What `up` started; the programs are those that it built.
require_up() { # warehouse
  barncat=${BUILT:-${CARGO_TARGET_DIR:-target}/release}/barncat
  [ -f "$(shell_of "$1")" ] || fail "the demo is not up" "make $([ "$1" = postgres ] && echo demo || echo demo-redshift)"
  # shellcheck disable=SC1091  # made by servers.sh
  . "$dir/env"
  double_start alert-double "$dir/alerts"
  start_services
}

# How another step is written.
for_warehouse() { [ "$1" = postgres ] || echo " $1"; }

# The step more: an optional table cannot be read, and the riders are paid all the same.
break_rates() { # warehouse
  local barncat
  require_up "$1"
  say "1. Nobody may read fx_rates any more, and meanwhile orders change"
  psql_at "$BARNCAT_PRIMARY_ADMIN_URL" -c "REVOKE SELECT ON fx_rates FROM barncat_source" \
    -c "UPDATE orders SET tip = coalesce(tip, 0) + 1, updated_at = now() WHERE id % 1000 = 0"
  scripts/servers.sh catch-up --dir "$dir"
  say "2. barncat run: degraded, and with exit status 0, for all that is critical is published"
  barncat_at "$1" run
  say "3. barncat why margins: walked back to what went wrong first"
  barncat_at "$1" why margins
  say "4. barncat why rider_payments: critical, and made of last night's rates"
  barncat_at "$1" why rider_payments
  printf '\n  scripts/demo.sh mend%s   # makes fx_rates readable again, and runs\n' "$(for_warehouse "$1")" >&2
}

mend_rates() { # warehouse
  local barncat
  require_up "$1"
  say "1. fx_rates can be read again"
  psql_at "$BARNCAT_PRIMARY_ADMIN_URL" -c "GRANT SELECT ON fx_rates TO barncat_source"
  scripts/servers.sh catch-up --dir "$dir"
  say "2. barncat run: what was blocked is made, and what was made of older rates is made anew"
  barncat_at "$1" run
}

# Every 500th order's fee, with its sign turned: what was wrong is right again the second time.
turn_fees() {
  psql_at "$BARNCAT_PRIMARY_ADMIN_URL" \
    -c "UPDATE orders SET delivery_fee = -delivery_fee, updated_at = now() WHERE id % 500 = 0 AND delivery_fee <> 0"
  scripts/servers.sh catch-up --dir "$dir"
}

# Its channels as people read them.
show_slack() { sed 's/^/  /' "$dir/alerts/slack" >&2; }

# A fault in the data, which no server says anything about.
damage_fees() { # warehouse
  local barncat status=0
  require_up "$1"
  say "1. A release of the shop writes delivery fees with a minus"
  turn_fees
  say "2. barncat run: the check before orders' publish finds them, and the riders are not paid by them (exit status 1)"
  barncat_at "$1" run || status=$?
  [ "$status" -eq 1 ] || fail "the run's exit status is $status, and should be 1"
  say "3. barncat check orders: the table that people read is the last good one"
  barncat_at "$1" check orders
  say "4. What Slack has got (.demo/alerts/slack; as sent: .demo/alerts/sent)"
  show_slack
  printf '\n  scripts/demo.sh repair%s   # the shop corrects its fees, and a run publishes them\n' "$(for_warehouse "$1")" >&2
}

repair_fees() { # warehouse
  local barncat
  require_up "$1"
  say "1. The shop corrects its fees"
  turn_fees
  say "2. barncat run"
  barncat_at "$1" run
  say "3. What Slack has got: the end, in the same thread"
  show_slack
}

build() { # warehouses…
  [ -z "${BUILT:-}" ] || return 0
  # In one build: alone each would have dependencies of other features.
  case $* in
    *redshift*) set -- --package redshift-double ;;
    *) set -- ;;
  esac
  cargo build --release --package barncat --package alert-double "$@" --bins
}

up() { # warehouses…
  local barncat=${BUILT:-${CARGO_TARGET_DIR:-target}/release}/barncat warehouse
  [ -n "${BUILT:-}" ] || require_cargo
  say "1. PostgreSQL: a primary, its standby, a warehouse"
  scripts/servers.sh up --dir "$dir"
  # shellcheck disable=SC1091  # made by servers.sh
  . "$dir/env"
  say "2. The shop's data"
  make_data
  say "3. barncat itself (the first build takes minutes)"
  build "$@"
  double_start alert-double "$dir/alerts"
  start_services
  for warehouse; do load "$warehouse"; done
  sum_up
  case $1 in postgres) look_around ;; *) look_around_on_redshift ;; esac
  name_dashboard "$1"
}

# The last line: it works wherever it is pasted, and where the usual port is taken.
name_dashboard() { # warehouse
  local port=8080 where='' program=${BUILT:-${CARGO_TARGET_DIR:-target}/release}/barncat
  while (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; do port=$((port + 1)); done
  [ "$port" -eq 8080 ] || where=" --listen 127.0.0.1:$port"
  say "The dashboard, on all of this: http://127.0.0.1:$port/ while this command runs"
  printf '  cd %q && . %s && %q serve%s\n' "$repo" "$(realpath --relative-to="$repo" "$(shell_of "$1")")" "$program" "$where" >&2
}

sum_up() {
  say "What you saw"
  cat >&2 <<TEXT
  - the shop's tables, read from its standby, and the warehouse equal to it; models made of them, and all checks asked
  - the exchange rates of each day since 2026-01-01, of a service: by windows of thirty days, each of them page by page
  - where restaurants are, of a geocoder that was asked round by round, each round published before the next; an address that nobody
    knows is a row too, without a place
  - both services asked no more often than they allow, by their own count; what is used of a day is kept for all processes and the next run
  - a next run that asked about no address again, and for the last days' rates alone
TEXT
}

look_around() {
  local psql=psql barncat=${BUILT:-${CARGO_TARGET_DIR:-target}/release}/barncat
  command -v psql >/dev/null || psql=$BARNCAT_SERVERS_BIN/psql
  say "Look around"
  cat >&2 <<TEXT
  . .demo/shell                                    # the two addresses, for this shell
  $psql "\$WAREHOUSE_URL" -c 'select * from barncat.tables'
  $psql "\$WAREHOUSE_URL" -c 'select * from analytics.rider_payments order by owed desc limit 10'
  $barncat graph                     # loads, models, checks: tiers, and what needs what
  $barncat why rider_payments        # why it is critical, and what it was made of
  $barncat plan                      # what a run would do, and why
  $barncat history                   # what ran, what it cost
  $barncat check orders              # what its checks find now
  $barncat discover fx --path '/rates?from=2026-11-28&to=2026-11-29'   # a service, asked once: columns and types
  $psql "\$WAREHOUSE_URL" -c 'select latitude is null as unknown, count(*) from raw_places.restaurant_places group by 1'
  cat .demo/services/asked                         # how often the services were asked, by their own count
  $barncat status
  $psql "\$SHOP_PRIMARY_URL" -c 'update orders set tip = 2, updated_at = now() where id % 1000 = 0'
  $barncat run                       # brings what is new or changed, and nothing else
  scripts/demo.sh break                            # an optional table fails: a degraded run, explained
  scripts/demo.sh mend                             # mends it
  scripts/demo.sh damage                           # wrong data: held back before the publish, and told in Slack
  scripts/demo.sh repair                           # put right, and told in the same thread
  make demo                                        # loads again
  make demo-down                                   # removes servers and data
TEXT
}

look_around_on_redshift() {
  local psql=psql barncat=${BUILT:-target/release}/barncat
  command -v psql >/dev/null || psql=$BARNCAT_SERVERS_BIN/psql
  say "Look around (shell-redshift-wire: the same by wire)"
  cat >&2 <<TEXT
  . .demo/shell-redshift                           # all addresses, for this shell; and barncat's --env
  $psql "\$REDSHIFT_URL?sslmode=verify-full&sslrootcert=\$REDSHIFT_CA" -c 'select * from raw_shop.monthly_revenue order by revenue desc limit 10'
  $psql "\$REDSHIFT_BEHIND_URL" -c '\\d raw_shop.*'   # the Postgres behind the double
  $barncat doctor
  $barncat graph
  $barncat plan
  $barncat verify 'raw_shop.*'       # compares row by row, by barncat itself
  $psql "\$SHOP_PRIMARY_URL" -c 'update orders set tip = 2, updated_at = now() where id % 1000 = 0'
  $barncat run                       # brings what is new or changed, and nothing else
  scripts/demo.sh break redshift                   # an optional table fails: a degraded run, explained
  scripts/demo.sh mend redshift                    # mends it
  scripts/demo.sh damage redshift                  # wrong data: held back before the publish, and told in Slack
  scripts/demo.sh repair redshift                  # put right, and told in the same thread
  make demo-redshift                               # loads again
  make demo-down                                   # removes servers and data
TEXT
}

down() {
  local warehouse
  for warehouse in redshift redshift-wire; do scripts/redshift-double.sh stop "$dir/$warehouse"; done
  double_stop alert-double "$dir/alerts"
  stop_services
  # The stage may be of another layout by now; the whole folder is ours.
  scripts/servers.sh down --dir "$dir"
  rm -rf "$dir"
}

command=${1:-up}
shift || true
[ $# -gt 0 ] || set -- postgres
for name; do
  case $name in
    postgres | redshift | redshift-wire) ;;
    *) fail "unknown warehouse \`$name\`" "postgres, redshift or redshift-wire" ;;
  esac
done

case $command in
  up) up "$@" ;;
  break) break_rates "$1" ;;
  mend) mend_rates "$1" ;;
  damage) damage_fees "$1" ;;
  repair) repair_fees "$1" ;;
  down) down ;;
  *) fail "unknown command \`$command\`" "scripts/demo.sh up, break, mend, damage, repair or down" ;;
esac
