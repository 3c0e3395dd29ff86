#!/usr/bin/env bash
# shellcheck disable=SC2034,SC2154  # dir, barncat, time and the addresses are set by bench.sh, and used there
# Cost against size: `scripts/bench.sh --sizes`, which sources this.
#
# `orders` of SIZES million rows (1 3 10 20) by barncat and by the pipe, RUNS rounds up to 5 million and one above; and TABLES tables
# (1 10 100 1000) of 1,000 rows each, all of them changed since the last load. --write: docs/plots/*.svg.

sizes_of_rows() {
  local size rounds round
  for size in ${SIZES:-1 3 10 20}; do
    make_rows "$((size * 1000000))"
    rounds=$runs
    [ "$size" -le 5 ] || rounds=1
    for round in $(seq "$rounds"); do
      say "$size million rows, round $round of $rounds"
      rm -f "$dir/figures"
      measure pipe
      measure run
      sed "s/^/rows\t$((size * 1000000))\t/" "$dir/figures" >>"$dir/sizes"
    done
    require_equal run
  done
}

write_tables() {
  write_project tables ""
  printf 'source = "shop"\nschema = "public"\n[tables]\n"*" = "full"\n' >"$dir/tables/loaders/shop.toml"
}

# All tables with one row of each changed, in one statement's time.
sizes_of_tables() {
  local tables round
  write_tables
  for tables in ${TABLES:-1 10 100 1000}; do
    psql_at "$BARNCAT_PRIMARY_ADMIN_URL" -c 'DROP DATABASE IF EXISTS tables WITH (FORCE)' -c 'CREATE DATABASE tables'
    make_database tables
    primary_url=${BARNCAT_PRIMARY_ADMIN_URL%/*}/tables replica_url=${BARNCAT_REPLICA_URL%/*}/tables
    psql_at "$primary_url" -v "tables=$tables" -v rows=1000 -v is_equal=1 -f sql/demo/bench-small.sql >/dev/null
    psql_at "$BARNCAT_WAREHOUSE_ADMIN_URL" -c 'SET client_min_messages = error' -c 'DROP SCHEMA IF EXISTS barncat, tables CASCADE'
    rm -rf "$dir/tables/stage"
    scripts/servers.sh catch-up --dir "$dir/servers"
    run_barncat tables "$dir/tables" 2>"$dir/tables.log" || { cat "$dir/tables.log" >&2 && fail "the first load failed"; }
    for round in $(seq "$runs"); do
      say "$tables tables, round $round of $runs"
      psql_at "$primary_url" -c "DO \$\$ DECLARE t text; BEGIN
        FOR t IN SELECT relname FROM pg_class WHERE relname LIKE 'small\_%' AND relkind = 'r' LOOP
          EXECUTE format('UPDATE %I SET note = coalesce(note, '''') || ''.'' WHERE id = 1', t); END LOOP; END \$\$"
      rm -f "$dir/figures"
      take_figures run tables run_barncat tables "$dir/tables"
      sed "s/^/tables\t$tables\t/" "$dir/figures" >>"$dir/sizes"
    done
  done
}

sizes() { # --write or nothing
  rm -f "$dir/sizes"
  sizes_of_rows
  sizes_of_tables
  psql_at "$BARNCAT_WAREHOUSE_ADMIN_URL" -f - >"$dir/sizes.json" <<SQL
CREATE TEMPORARY TABLE figures (what text, size bigint, way text, wall float, client float, source float, warehouse float, staged bigint, peak bigint);
\\copy figures FROM '$dir/sizes'
SELECT jsonb_pretty(jsonb_agg(jsonb_build_object('what', what, 'size', size, 'way', way, 'runs', runs, 'wall_seconds', round(wall::numeric, 2),
    'client_cpu_seconds', round(client::numeric, 2), 'source_cpu_seconds', round(source::numeric, 2),
    'warehouse_cpu_seconds', round(warehouse::numeric, 2), 'staged_bytes', nullif(staged, 0), 'peak_memory_bytes', nullif(peak, 0)) ORDER BY what, size, way))
FROM (SELECT what, size, way, count(*) AS runs, percentile_cont(0.5) WITHIN GROUP (ORDER BY wall) AS wall,
        percentile_cont(0.5) WITHIN GROUP (ORDER BY client) AS client, percentile_cont(0.5) WITHIN GROUP (ORDER BY source) AS source,
        percentile_cont(0.5) WITHIN GROUP (ORDER BY warehouse) AS warehouse, max(staged) AS staged, max(peak) AS peak
    FROM figures GROUP BY what, size, way) AS medians;
SQL
  cat "$dir/sizes.json"
  [ "$1" != --write ] || python3 scripts/bench-plots.py "$dir/sizes.json" docs/plots
}
