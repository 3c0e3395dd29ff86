#!/usr/bin/env bash
# The demo as a check, small: every table of it into Postgres and into the double of Redshift by both
# transports; then changes at the source, which the comparison must see before a run and no more after it,
# and which must be all that the run brings. Then an optional table cannot be read: the run is degraded, and
# mended. Then orders are wrong: they are held back before their publish, Slack is told, and told of the end in the
# same thread. And the command that the demo ends with opens the dashboard. Services over HTTP are in each of these runs: what
# they gave is held against what they would give, and what they counted against what the project asks for.
#
# BUILT (a folder with the programs in it, as target/debug): nothing is built.
set -euo pipefail

# shellcheck source=scripts/common.sh
. "$(dirname "$0")/common.sh"

cd "$(dirname "$0")/.."
warehouses=(postgres redshift redshift-wire)
changed='customers deliveries fx_rates monthly_revenue order_events order_items orders'
unchanged='analytics.best_restaurants raw_places.restaurant_places raw_shop.cities raw_shop.currencies raw_shop.restaurants raw_shop.riders'
blocked='analytics.best_restaurants analytics.customer_lifetime_value analytics.margins analytics.margins.checks analytics.orders_in_euro analytics.orders_in_euro.checks every_currency_has_a_rate margins_add_up orders_have_a_rate orders_reach_the_newest_rate rates_are_of_their_day raw_shop.fx_rates.checks'

change_source() {
  "$BARNCAT_SERVERS_BIN/psql" -X -q -v ON_ERROR_STOP=1 -d "$BARNCAT_PRIMARY_ADMIN_URL" <<'SQL'
SELECT min(order_id) AS gone FROM deliveries \gset
BEGIN;
UPDATE orders SET tip = 2, note = E'"so"\n\\N, ', updated_at = now() WHERE id % 100 = 0;
DELETE FROM deliveries WHERE order_id = :gone;
DELETE FROM order_items WHERE order_id = :gone;
DELETE FROM orders WHERE id = :gone;
INSERT INTO customers (email, password_hash, full_name, nickname, city_id, preferences, last_ip, created_at, updated_at)
  VALUES ('new@example.com', 'x', 'N. N.', '', 1, '{"n": 1.50}', '192.0.2.1/24', now(), now());
INSERT INTO order_events SELECT max(id) + 1, 1, 'placed', '2026-11-01', 'support', '{"by": "hand"}' FROM order_events;
UPDATE fx_rates SET per_euro = per_euro * 1.0000000001 WHERE currency = 'JPY';
COMMIT;
SQL
  scripts/servers.sh catch-up --dir .demo
}

# The tables, in order, whose lines of this output begin with the mark.
marked() { # mark output
  sed -n "s/^  $1 \([a-z_]*\) .*/\1/p" <<<"$2" | sort | xargs
}

expect() { # what expected found
  [ "$2" = "$3" ] || fail "$1: $3" "it should be: $2"
}

# The tasks of a run that ended so, in order: a task's name, and its status in a later line.
of_status() { # status outcome
  sed -n 's/^      "task": "\(.*\)",/\1/p; s/^      "status": "\(.*\)",/\1/p' <<<"$2" | paste - - |
    awk -v status="$1" '$2 == status { print $1 }' | sort | xargs
}

# As a person is told by scripts/demo.sh: an optional table cannot be read, what is critical is published.
degraded() { # warehouse
  local outcome
  scripts/demo.sh break "$1" >.demo/broken.txt 2>.demo/broken.log || fail "$1: demo.sh break" "$(cat .demo/broken.log)"
  grep -q 'because raw_shop.fx_rates failed' .demo/broken.txt || fail "$1: why names no cause" "$(cat .demo/broken.txt)"
  outcome=$(
    # shellcheck disable=SC1090  # made by demo.sh
    . ".demo/shell$([ "$1" = postgres ] || echo "-$1")"
    "${BUILT:-target/release}/barncat" run --project . --output json 2>.demo/broken.log
  ) || fail "$1: a run without its rates failed" "$(cat .demo/broken.log)"
  expect "$1: what failed" "raw_shop.fx_rates" "$(of_status failed "$outcome")"
  expect "$1: what was blocked" "$blocked" "$(of_status blocked "$outcome")"
  scripts/demo.sh mend "$1" 2>.demo/broken.log || fail "$1: demo.sh mend" "$(cat .demo/broken.log)"
  scripts/compare.sh "$1"
}

# The last message that was sent to Slack with this in its text: its `ts`, or what it stands below.
sent() { # ts|thread_ts pattern
  grep "\"text\":\"[^\"]*$2" .demo/alerts/sent | tail -n 1 | sed "s/.*\"$1\":\"\([^\"]*\)\".*/\1/"
}

damaged() { # warehouse
  local opened url=$BARNCAT_WAREHOUSE_URL
  [ "$1" = postgres ] || url=${BARNCAT_WAREHOUSE_ADMIN_URL%/*}/$1
  scripts/demo.sh damage "$1" >.demo/damaged.txt 2>.demo/damaged.log || fail "$1: demo.sh damage" "$(cat .demo/damaged.log)"
  expect "$1: wrong fees that people can read" 0 \
    "$("$BARNCAT_SERVERS_BIN/psql" -X -At -d "$url" -c 'SELECT count(*) FROM raw_shop.orders WHERE delivery_fee < 0')"
  opened=$(sent ts 'demo: raw_shop.orders failed')
  [ -n "$opened" ] || fail "$1: Slack was not told" "$(cat .demo/alerts/slack)"
  scripts/demo.sh repair "$1" >.demo/damaged.txt 2>.demo/damaged.log || fail "$1: demo.sh repair" "$(cat .demo/damaged.log)"
  expect "$1: the message below which the end stands" "$opened" "$(sent thread_ts 'raw_shop.orders recovered')"
  if grep refused: .demo/alerts/log; then fail "$1: Slack would have refused it"; fi
  scripts/compare.sh "$1"
}

again() { # warehouse
  local seen outcome before
  if seen=$(scripts/compare.sh "$1" 2>/dev/null); then fail "$1: the comparison saw no change"; fi
  expect "$1: tables that the comparison found different" "$changed" "$(marked ✗ "$seen")"
  before=$(asked rates)
  outcome=$(
    # shellcheck disable=SC1090  # made by demo.sh
    . ".demo/shell$([ "$1" = postgres ] || echo "-$1")"
    "${BUILT:-target/release}/barncat" run --project . --output json 2>.demo/again.log
  ) || fail "$1: the second run failed" "$(cat .demo/again.log)"
  expect "$1: tasks that the second run left as they were" "$unchanged" \
    "$(of_status unchanged "$outcome" | sed 's/raw_fx.fx_daily //')" # whose day may have ended meanwhile
  expect "$1: requests for rates, of the last days alone" "$((before + 1))" "$(asked rates)"
  served "$1"
  scripts/compare.sh "$1"
}

# How often an endpoint of the services was asked, by their own count.
asked() { # endpoint
  scripts/demo-services.py --count .demo/services | sed -n "s/.*$1 \([0-9]*\) times.*/\1/p"
}

# The services' tables are just what they answer, no address was asked about twice, and none of them more often than it may be.
served() { # warehouse
  local url=$BARNCAT_WAREHOUSE_URL
  [ "$1" = postgres ] || url=${BARNCAT_WAREHOUSE_ADMIN_URL%/*}/${1//-/_}
  "$BARNCAT_SERVERS_BIN/psql" -X -q -At -v ON_ERROR_STOP=1 -d "$url" >.demo/served <<'SQL' || fail "$1: the services' tables cannot be read"
SELECT json_build_object('rate', json_build_array(day, currency, rate::text)) FROM raw_fx.fx_daily;
SELECT json_build_object('place', json_build_array(restaurant_id, address, latitude::text, longitude::text, confidence::text))
FROM raw_places.restaurant_places;
SELECT json_build_object('restaurant', json_build_array(id, address)) FROM raw_shop.restaurants WHERE id <= 200;
SQL
  scripts/demo-services.py --check .demo/services ${#warehouses[@]} <.demo/served ||
    fail "$1: the services' tables are not what they answer"
}

# The last line that `up` says opens the dashboard, pasted anywhere.
opens() { # what up said
  local command at pid status=0 deadline=$((SECONDS + 60))
  command=$(tail -n 1 "$1")
  at=$(sed -n 's/^== The dashboard.*\(http:[^ ]*\).*/\1/p' "$1")
  printf 'the dashboard: %s\n' "$command" >&2
  # A group of its own: the shell of the person who pasted it, and what runs in it.
  (cd / && exec setsid bash -c "$command") 2>target/dashboard.log &
  pid=$!
  until [[ "$(python3 -c 'import sys, urllib.request; print(urllib.request.urlopen(sys.argv[1]).read().decode())' "$at" 2>/dev/null)" == *'href="/tables/analytics.rider_payments"'* ]]; do
    kill -0 "$pid" 2>/dev/null || fail "the dashboard did not open" "$(tail -n 5 target/dashboard.log)"
    [ "$SECONDS" -lt "$deadline" ] || fail "the dashboard does not show the demo's deadline at $at"
    sleep 0.2
  done
  kill -INT -- "-$pid"
  wait "$pid" || status=$?
  [ "$status" -eq 0 ] || [ "$status" -eq 130 ] || fail "the dashboard ended with $status" "$(tail -n 5 target/dashboard.log)"
}

[ ! -e .demo ] || fail "the demo is there already, and the check would change it" "make demo-down"
trap 'scripts/demo.sh down' EXIT
trap 'exit 130' INT TERM
export SCALE=${SCALE:-0.02}
mkdir -p target
scripts/demo.sh up "${warehouses[@]}" 2>&1 | tee target/demo-up.log >&2
opens target/demo-up.log
# shellcheck disable=SC1091  # made by servers.sh
. .demo/env
change_source
for warehouse in "${warehouses[@]}"; do again "$warehouse"; done
for warehouse in postgres redshift; do degraded "$warehouse"; done
for warehouse in postgres redshift; do damaged "$warehouse"; done
