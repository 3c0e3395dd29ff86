#!/usr/bin/env bash
# Speed and memory: standby → stage → warehouse by barncat, against the plain binary pipe of two
# psqls, in the same minutes on the same servers. Prints JSON; docs/BENCHMARKS.md keeps the figures.
#
#   scripts/bench.sh             5 million rows, 5 rounds; medians
#   scripts/bench.sh --memory    one run each at 0.5, 5 and 20 million rows: peak memory
#   scripts/bench.sh --stage     extract and stage of 1 million rows of 50 columns, for Postgres and for Redshift
#   scripts/bench.sh --graph     planning and scheduling 100 to 100,000 tasks that do nothing; needs no server
#   scripts/bench.sh --models    500 tiny models against the SQL itself, by as many sessions of psql; 3 rounds
#   scripts/bench.sh --new-rows  append, merge and verify at 0.5, 5 and 20 million rows (SIZES), 3 rounds
#   scripts/bench.sh --night     300 tables, most small and unchanged, into S3 by 4 connections: three nights (ROWS of the large ones)
#   scripts/bench.sh --sizes     what 1, 3, 10 and 20 million rows (SIZES) and 1, 10, 100 and 1,000 tables (TABLES) cost; --write draws docs/plots
#   scripts/bench.sh --http      100,000 and 1,000,000 records (SIZES) of a service through paging: our CPU and memory
#   scripts/bench.sh --dashboard 20 requests a second on the pages, with 2,000 tables and 1,000,000 attempts (TABLES, RUNS, RATE)
#
# ROWS, RUNS and WAYS ("pipe run run_fill_jobs_2") choose less or more. Each round takes each way in
# turn, so that a noisy minute hits all of them. The servers stay (target/bench, scripts/bench.sh
# down), so that a second bench need not generate the rows again. BUILT (a folder with a release build in it): nothing is built.
# S3_SERVER: the bench `stage`, built before, which serves S3 for --stage and --night.
set -euo pipefail

# shellcheck source=scripts/common.sh
. "$(dirname "$0")/common.sh"
# shellcheck source=scripts/bench-servers.sh
. "$(dirname "$0")/bench-servers.sh"

rows=${ROWS:-5000000} runs=${RUNS:-5} ways=${WAYS:-pipe run run_fill_jobs_2}

# ---- set-up ---------------------------------------------------------------------------------------

start_servers() {
  up_servers
  primary_url=${BARNCAT_PRIMARY_ADMIN_URL%/*}/bench
  replica_url=${BARNCAT_REPLICA_URL%/*}/bench
  replica_admin_url=${BARNCAT_REPLICA_ADMIN_URL%/*}/bench
  warehouse_url=$BARNCAT_WAREHOUSE_URL
  # What an older build left there is not measured.
  psql_at "$BARNCAT_WAREHOUSE_ADMIN_URL" -c 'SET client_min_messages = error' \
    -c 'DROP SCHEMA IF EXISTS barncat, barncat_control, barncat_staging, pipe, run, run_fill_jobs_2, appends, merges, by_hand CASCADE'
}

make_rows() { # rows [table]
  local table=${2:-orders}
  make_database bench
  if [ "$(psql_at "$primary_url" -c "SELECT max(id) FROM $table" 2>/dev/null || true)" != "$1" ]; then
    say "making $1 rows"
    psql_at "$primary_url" -v "rows=$1" -f "sql/demo/bench-$table.sql"
  fi
  scripts/servers.sh catch-up --dir "$dir/servers"
  psql_at "$replica_admin_url" -c "SELECT count(*) FROM $table" >/dev/null # both start with warm caches
}

# One project a way of filling, so that each swaps over a table of its own.
write_project() { # way settings-of-the-row [strategy]
  local project=$dir/$1
  mkdir -p "$project/loaders"
  cat >"$project/barncat.toml" <<TOML
[project]
name = "bench"
[sources.shop]
kind = "postgres"
url = "\${SHOP_REPLICA_URL}"
connections = 6
[stage]
url = "file:./stage"
[warehouse]
kind = "postgres"
url = "\${WAREHOUSE_URL}"
schema = "$1"
TOML
  cat >"$project/loaders/shop.toml" <<TOML
source = "shop"
schema = "public"
[tables]
orders = { strategy = "${3:-full}"$2 }
TOML
}

# ---- measuring ------------------------------------------------------------------------------------

pipe() {
  local columns
  columns=$(psql_at "$replica_url" -c "SELECT string_agg(format('%I %s%s', attname, format_type(atttypid, atttypmod),
    CASE WHEN attnotnull THEN ' NOT NULL' ELSE '' END), ', ' ORDER BY attnum)
    FROM pg_attribute WHERE attrelid = 'public.orders'::regclass AND attnum > 0 AND NOT attisdropped")
  psql_at "$replica_url" -c 'COPY orders TO STDOUT (FORMAT binary)' |
    psql_at "$warehouse_url" --single-transaction -c 'SET client_min_messages = error' \
      -c 'CREATE SCHEMA IF NOT EXISTS pipe' -c "CREATE TABLE pipe.incoming ($columns)" \
      -c 'COPY pipe.incoming FROM STDIN (FORMAT binary)' -c 'ALTER TABLE pipe.incoming ADD PRIMARY KEY (id)' \
      -c 'DROP TABLE IF EXISTS pipe.orders' -c 'ALTER TABLE pipe.incoming RENAME TO orders'
}

run_barncat() { # way project
  SHOP_REPLICA_URL=$replica_url WAREHOUSE_URL=$warehouse_url "$time" -f %M -o "$dir/peak" \
    "$barncat" run --quiet --output json --project "$2" >"$dir/$1.json"
}

measure() { # way
  local way=$1 command=(run_barncat "$1" "$dir/$1")
  [ "$way" != pipe ] || command=(pipe)
  # A row changes, so that no load is the same as the last one.
  psql_at "$primary_url" -c "UPDATE orders SET rider_id = coalesce(rider_id, 0) + 1 WHERE id = 1"
  take_figures "$way" "$way" "${command[@]}"
}

# ---- the two benches ------------------------------------------------------------------------------

# Medians and ratios, by the database that is there anyway.
report() {
  psql_at "$BARNCAT_WAREHOUSE_ADMIN_URL" -v "rows=$rows" -v "runs=$runs" -f - <<SQL
CREATE TEMPORARY TABLE figures (way text, wall float, client float, source float, warehouse float, staged bigint, peak bigint);
\\copy figures FROM '$dir/figures'
CREATE TEMPORARY VIEW medians AS
SELECT way, percentile_cont(0.5) WITHIN GROUP (ORDER BY wall) AS wall, min(wall) AS fastest, max(wall) AS slowest,
       percentile_cont(0.5) WITHIN GROUP (ORDER BY client) AS client,
       percentile_cont(0.5) WITHIN GROUP (ORDER BY source) AS source,
       percentile_cont(0.5) WITHIN GROUP (ORDER BY warehouse) AS warehouse, max(staged) AS staged, max(peak) AS peak
FROM figures GROUP BY way;
SELECT jsonb_pretty(jsonb_build_object('rows', :rows, 'runs', :runs,
    'wall_ratio_to_pipe', (SELECT jsonb_object_agg(m.way, round((m.wall / p.wall)::numeric, 2))
                           FROM medians m, medians p WHERE p.way = 'pipe'),
    'ways', (SELECT jsonb_object_agg(way, jsonb_build_object(
        'wall_seconds', round(wall::numeric, 2), 'fastest_seconds', fastest, 'slowest_seconds', slowest,
        'client_cpu_seconds', round(client::numeric, 2), 'source_cpu_seconds', round(source::numeric, 2),
        'warehouse_cpu_seconds', round(warehouse::numeric, 2), 'staged_bytes', nullif(staged, 0), 'peak_memory_bytes', nullif(peak, 0)))
        FROM medians)));
SQL
}

digest() { # url table
  psql_at "$1" -c "SELECT count(*), sum(hashtextextended(o::text, 0)::numeric) FROM $2 o"
}

# A fast way that loses a row would be no way.
require_equal() { # way
  [ "$(digest "$replica_url" public.orders)" = "$(digest "$warehouse_url" "$1.orders")" ] ||
    fail "$1.orders is not equal to the source"
}

speed() {
  local round way
  make_rows "$rows"
  rm -f "$dir/figures"
  for round in $(seq "$runs"); do
    say "round $round of $runs: way, seconds of wall, client, source, warehouse; bytes staged, peak memory"
    for way in $ways; do measure "$way"; done
  done
  # The row that changes between the measurements is the last way's own.
  require_equal "${ways##* }"
  report
}

memory() {
  local size
  rm -f "$dir/figures" "$dir/memory"
  for size in 500000 5000000 20000000; do
    make_rows "$size"
    measure run
    require_equal run
    printf '%s %s\n' "$size" "$(tail -n 1 "$dir/figures" | cut -f 7)" >>"$dir/memory"
  done
  awk 'BEGIN { printf "{\"peak_memory_bytes\": {" }
    { printf "%s\"%s rows\": %s", separator, $1, $2; separator = ", " } END { print "}}" }' "$dir/memory"
}

# ---- new rows -------------------------------------------------------------------------------------

wall() { # command…: seconds of wall time
  local TIMEFORMAT=%R
  { time "$@" >/dev/null 2>"$dir/command.log"; } 2>"$dir/time" || { cat "$dir/command.log" >&2 && fail "$* failed"; }
  cat "$dir/time"
}

in_project() { # project arguments…
  SHOP_REPLICA_URL=$replica_url WAREHOUSE_URL=$warehouse_url "$barncat" "${@:2}" --quiet --project "$dir/$1"
}

changed() { # sql: run on the primary, and seen by the standby
  psql_at "$primary_url" -c "$1"
  scripts/servers.sh catch-up --dir "$dir/servers"
  psql_at "$BARNCAT_PRIMARY_ADMIN_URL" -c CHECKPOINT
  psql_at "$BARNCAT_WAREHOUSE_ADMIN_URL" -c CHECKPOINT
}

# The rival of a merge: what changed into a temporary table, out with the old rows, in with the new.
merge_by_hand() { # moment
  psql_at "$replica_url" -c "COPY (SELECT * FROM orders WHERE ordered_at >= '$1') TO STDOUT (FORMAT binary)" |
    psql_at "$warehouse_url" --single-transaction -c 'CREATE TEMPORARY TABLE incoming (LIKE by_hand.orders)' \
      -c 'COPY incoming FROM STDIN (FORMAT binary)' \
      -c 'DELETE FROM by_hand.orders o USING incoming i WHERE o.id = i.id' \
      -c 'INSERT INTO by_hand.orders SELECT * FROM incoming'
}

hash_all() { # url table
  psql_at "$1" -c "SELECT count(*), sum(hashtextextended(o::text, 0)) FROM $2 o"
}

measured() { # what command…
  printf '%s\t%s\t%s\n' "$size" "$1" "$(wall "${@:2}")" >>"$dir/new-rows"
}

append() { # next
  changed "INSERT INTO orders SELECT $1 + n, public_id, customer_id, restaurant_id, rider_id, status,
    clock_timestamp(), delivered_on, total, distance_m, first_order, note, details
    FROM orders, LATERAL (SELECT id - 1) AS o(n) WHERE id <= 10000"
  measured 'append of 10,000' in_project appends run
}

only_appends() { # size next
  local size=$1 next=$2 round
  for round in $(seq "${ROUNDS:-3}"); do
    say "$size rows, round $round of ${ROUNDS:-3}"
    measured 'nothing new' in_project appends run
    append "$next"
    next=$((next + 10000))
  done
  psql_at "$primary_url" -c 'DROP TABLE orders'
}

new_rows() {
  local size round next now
  rm -f "$dir/new-rows"
  for size in ${SIZES:-500000 5000000 20000000}; do
    make_rows "$size"
    psql_at "$primary_url" -c 'CREATE INDEX IF NOT EXISTS orders_ordered_at ON orders (ordered_at)'
    write_project appends ', cursor = "id", overlap = "1s", compare_every = "off"' append
    write_project merges ', cursor = "ordered_at", overlap = "1s", compare_every = "off"' merge
    next=$((size + 1))
    in_project appends run --full >/dev/null
    if [ "$size" -gt 5000000 ]; then
      # That an append does not grow with the table is all that the largest one is for.
      only_appends "$size" "$next"
      continue
    fi
    in_project merges run --full >/dev/null
    psql_at "$warehouse_url" -c 'SET client_min_messages = error' -c 'DROP SCHEMA IF EXISTS by_hand CASCADE' \
      -c 'CREATE SCHEMA by_hand' -c 'CREATE TABLE by_hand.orders AS TABLE merges.orders' \
      -c 'ALTER TABLE by_hand.orders ADD PRIMARY KEY (id)' -c 'ANALYZE by_hand.orders'
    sleep 1.5
    for round in $(seq "${ROUNDS:-3}"); do
      say "$size rows, round $round of ${ROUNDS:-3}"
      measured 'nothing new' in_project appends run
      append "$next"
      next=$((next + 10000))
      in_project merges run >/dev/null # the new rows, so that only the changed ones are left
      sleep 1.5
      now=$(psql_at "$primary_url" -c 'SELECT clock_timestamp()')
      changed "UPDATE orders SET ordered_at = '$now', status = 'changed' WHERE id % ($size / 100000) = 0 AND id <= $size"
      measured 'merge of 100,000' in_project merges run
      measured 'merge by hand' merge_by_hand "$now"
      in_project appends run >/dev/null
      measured 'verify' in_project merges verify --as-is
      measured 'hash of the source' hash_all "$replica_url" public.orders
      measured 'hash of the warehouse' hash_all "$warehouse_url" merges.orders
      tail -n 7 "$dir/new-rows" >&2
    done
    # The rows that were added are of this bench alone.
    psql_at "$primary_url" -c 'DROP TABLE orders'
  done
  psql_at "$BARNCAT_WAREHOUSE_ADMIN_URL" -f - <<SQL
CREATE TEMPORARY TABLE figures (rows bigint, what text, wall float);
\\copy figures FROM '$dir/new-rows'
SELECT jsonb_pretty(jsonb_object_agg(rows, medians)) FROM (
    SELECT rows, jsonb_object_agg(what, wall) AS medians FROM (
        SELECT rows, what, round(percentile_cont(0.5) WITHIN GROUP (ORDER BY wall)::numeric, 2) AS wall
        FROM figures GROUP BY rows, what) AS m GROUP BY rows) AS r;
SQL
}

# ---- stage ----------------------------------------------------------------------------------------

# An S3 server in a process of its own, so that only the client's memory is measured.
serve_s3() {
  stage=${S3_SERVER:-}
  [ -n "$stage" ] || stage=$(cargo bench --bench stage --no-run --message-format json | sed -n 's|.*"executable":"\([^"]*/stage-[^"]*\)".*|\1|p')
  : >"$dir/s3"
  export AWS_ACCESS_KEY_ID=barncat-bench AWS_SECRET_ACCESS_KEY=only-for-a-server-on-this-machine AWS_EC2_METADATA_DISABLED=true
  "$stage" serve "$dir/stage" >"$dir/s3" &
  # shellcheck disable=SC2064  # this very process
  trap "kill $!" EXIT
  local server=$!
  until [ -s "$dir/s3" ]; do
    kill -0 "$server" 2>/dev/null || fail "the S3 server did not start"
    sleep 0.1
  done
  s3_url=$(cat "$dir/s3")
}

# Both as CSV into S3: what Redshift's way of writing the rows costs beside Postgres' own.
stage_alone() {
  local round way before
  make_rows "${ROWS:-1000000}" wide
  rm -rf "$dir/stage" "$dir/figures"
  serve_s3
  for round in $(seq "$runs"); do
    say "round $round of $runs: way, seconds of wall, client, source; peak memory"
    for way in postgres redshift; do
      before=$(cluster_cpu "$BARNCAT_REPLICA_PID")
      "$stage" "$way" "$replica_url" public.wide "$s3_url" >"$dir/stage-of-$way"
      awk -v way="$way" -v before="$before" -v after="$(cluster_cpu "$BARNCAT_REPLICA_PID")" \
        '{ printf "%s\t%s\t%s\t%.2f\t%s\n", way, $1, $2, after - before, $3 }' "$dir/stage-of-$way" >>"$dir/figures"
      rm -r "$dir/stage/stage"/*
      tail -n 1 "$dir/figures" >&2
    done
  done
  psql_at "$BARNCAT_WAREHOUSE_ADMIN_URL" -v "rows=${ROWS:-1000000}" -v "runs=$runs" -f - <<SQL
CREATE TEMPORARY TABLE figures (way text, wall float, client float, source float, peak bigint);
\\copy figures FROM '$dir/figures'
CREATE TEMPORARY VIEW medians AS
SELECT way, percentile_cont(0.5) WITHIN GROUP (ORDER BY wall) AS wall, percentile_cont(0.5) WITHIN GROUP (ORDER BY client) AS client,
       percentile_cont(0.5) WITHIN GROUP (ORDER BY source) AS source, max(peak) AS peak
FROM figures GROUP BY way;
SELECT jsonb_pretty(jsonb_build_object('rows', :rows, 'runs', :runs,
    'redshift_to_postgres', (SELECT jsonb_build_object('wall', round((r.wall / p.wall)::numeric, 3),
        'cpu', round(((r.client + r.source) / (p.client + p.source))::numeric, 3))
        FROM medians r, medians p WHERE r.way = 'redshift' AND p.way = 'postgres'),
    'ways', (SELECT jsonb_object_agg(way, jsonb_build_object('wall_seconds', round(wall::numeric, 2),
        'client_cpu_seconds', round(client::numeric, 2), 'source_cpu_seconds', round(source::numeric, 2),
        'peak_memory_bytes', peak)) FROM medians)));
SQL
}

build() {
  [ "$ways" != pipe ] || return 0
  time=$(type -P time) || fail "GNU time is missing" "apt-get install time"
  [ -n "${BUILT:-}" ] || cargo build --release --quiet --bin barncat
  barncat=$(realpath "${BUILT:-${CARGO_TARGET_DIR:-target}/release}/barncat")
}

[ -r /proc/self/stat ] || fail "the benchmark reads /proc, so it needs Linux"
case ${1:-speed} in
  speed | --memory | --models | --new-rows | --stage | --night | --sizes | --http | --dashboard) ;;
  --graph) exec cargo bench --quiet --bench graph ;;
  down)
    scripts/servers.sh down --dir "$dir/servers"
    rm -rf "$dir"
    exit
    ;;
  *) fail "unknown argument \`$1\`" "nothing, --memory, --models, --stage, --graph, --new-rows, --night, --sizes, --http, --dashboard, or down" ;;
esac
build
mkdir -p "$dir"
start_servers
write_project run ""
write_project run_fill_jobs_2 ", fill_jobs = 2"
case ${1:-speed} in
  speed) speed ;;
  --memory) memory ;;
  --models)
    # shellcheck source=scripts/bench-models.sh
    . scripts/bench-models.sh
    models
    ;;
  --stage) stage_alone ;;
  --new-rows) new_rows ;;
  --night)
    # shellcheck source=scripts/bench-night.sh
    . scripts/bench-night.sh
    night
    ;;
  --sizes)
    # shellcheck source=scripts/bench-sizes.sh
    . scripts/bench-sizes.sh
    sizes "${2:-}"
    ;;
  --http)
    # shellcheck source=scripts/bench-http.sh
    . scripts/bench-http.sh
    http
    ;;
  --dashboard)
    # shellcheck source=scripts/bench-dashboard.sh
    . scripts/bench-dashboard.sh
    dashboard
    ;;
esac
