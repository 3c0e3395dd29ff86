#!/usr/bin/env bash
# shellcheck disable=SC2154  # dir, barncat and the addresses are set by bench.sh
# The dashboard with a long history: `scripts/bench.sh --dashboard`, which sources this.
#
# TABLES (2000) tables, RUNS (500) runs of all of them. First RATE (20) requests a second for SECONDS_MEASURED (60), with no load; then
# loads of ROWS (1000000) rows, PAIRS (9) with 5 requests a second and as many without, one after the other.

dashboard_pages() {
  local run
  run=$(psql_at "$warehouse_url" -c "SELECT run FROM barncat_control.runs WHERE run LIKE '01J%RUN' ORDER BY started_at DESC LIMIT 1")
  printf '%s\n' / /graph /tables '/tables?q=table_01&status=bad' '/tables?page=7' "/tables/raw.table_0010" "/tables/raw.table_1999" \
    /runs "/runs?before=$run" "/runs/$run" "/runs/$run?after=400" /checks '/graph?select=tier:critical' \
    /api/v1/tasks /api/v1/runs /api/v1/tables/raw.table_0500 /api/v1/incidents /metrics
}

write_dashboard_project() {
  local project=$dir/dashboard
  mkdir -p "$project/loaders"
  sed 's/^schema = ".*"$/schema = "raw"/' "$dir/run/barncat.toml" >"$project/barncat.toml"
  printf 'source = "shop"\nschema = "public"\ninto = "raw"\n[tables]\n"table_*" = "full"\n"table_???0" = { strategy = "full", tier = "critical" }\n' \
    >"$project/loaders/shop.toml"
}

# Seconds that one load takes.
one_load() {
  local TIMEFORMAT=%R
  psql_at "$primary_url" -c "UPDATE orders SET rider_id = coalesce(rider_id, 0) + 1 WHERE id = 1"
  scripts/servers.sh catch-up --dir "$dir/servers"
  { time SHOP_REPLICA_URL=$replica_url WAREHOUSE_URL=$warehouse_url "$barncat" run --quiet --project "$dir/run" >/dev/null 2>"$dir/run.log"; } 2>&1 ||
    { cat "$dir/run.log" >&2 && fail "a load failed"; }
}

# Loads with and without readers, in turn: a line each, `seconds with|without`.
load_pairs() { # address pairs
  local pair way asker
  for pair in $(seq "$2"); do
    for way in $([ $((pair % 2)) -eq 0 ] && echo with without || echo without with); do
      asker=
      if [ "$way" = with ]; then
        scripts/ask-pages.py "$1" 5 0 <"$dir/pages" >/dev/null &
        asker=$!
        sleep 1
      fi
      printf '%s %s\n' "$(one_load)" "$way" | tee -a "$dir/loads" >&2
      [ -z "$asker" ] || { kill "$asker" && { wait "$asker" 2>/dev/null || true; }; }
    done
  done
}

dashboard() {
  local tables=${TABLES:-2000} runs=${RUNS:-500} rate=${RATE:-20} seconds=${SECONDS_MEASURED:-60} pairs=${PAIRS:-9} port=${PORT:-8765} at page pid memory
  command -v curl >/dev/null || fail "curl is missing" "apt-get install curl"
  write_dashboard_project
  make_rows "${ROWS:-1000000}"
  at=127.0.0.1:$port
  SHOP_REPLICA_URL=$replica_url WAREHOUSE_URL=$warehouse_url "$barncat" serve --project "$dir/dashboard" --listen "$at" 2>"$dir/dashboard.log" &
  pid=$!
  # shellcheck disable=SC2064  # the process is known now
  trap "kill $pid 2>/dev/null || true" EXIT
  until curl -sf "http://$at/api/v1/tasks" >/dev/null; do
    kill -0 "$pid" 2>/dev/null || fail "the service ended" "see $dir/dashboard.log"
    sleep 0.2
  done
  say "making a history of $runs runs of $tables tables"
  psql_at "$warehouse_url" -v schema=barncat_control -v "tables=$tables" -v "runs=$runs" -f sql/demo/bench-dashboard.sql >/dev/null
  dashboard_pages >"$dir/pages"
  while read -r page; do
    curl -sf -o /dev/null "http://$at$page" || fail "$page was not answered" "see $dir/dashboard.log"
  done <"$dir/pages"
  say "asking $rate times a second for $seconds s"
  scripts/ask-pages.py "$at" "$rate" "$seconds" <"$dir/pages" >"$dir/figures"
  say "$pairs loads with 5 requests a second, and as many without"
  rm -f "$dir/loads"
  one_load >/dev/null
  load_pairs "$at" "$pairs"
  memory=$(awk '/VmHWM/ { print $2 * 1024 }' "/proc/$pid/status")
  kill "$pid"
  wait "$pid" || true
  trap - EXIT
  sort -k2,2n "$dir/figures" | awk -v tables="$tables" -v runs="$runs" -v memory="$memory" \
    -v with="$(median_of with)" -v without="$(median_of without)" -v ratio="$(median_ratio)" -v pairs="$pairs" '
    { all[NR] = $2; if ($1 != 200) bad++; if ($2 > worst[$4]) worst[$4] = $2; count[$4]++; sum[$4] += $2; bytes[$4] = $3 }
    END {
      p50 = all[int(NR * 0.5) + 1]; p99 = all[int(NR * 0.99) + 1]
      printf "{\n  \"tables\": %d, \"runs\": %d, \"attempts\": %d, \"requests\": %d, \"not_answered\": %d,\n", tables, runs, tables * runs, NR, bad
      printf "  \"p50_ms\": %.1f, \"p99_ms\": %.1f, \"max_ms\": %.1f, \"peak_memory_bytes\": %d,\n", p50, p99, all[NR], memory
      printf "  \"load_seconds_without\": %s, \"load_seconds_with\": %s, \"median_ratio_of_%d_pairs\": %s,\n  \"pages\": {\n", without, with, pairs, ratio
      nth = 0
      for (page in count) printf "%s    \"%s\": { \"mean_ms\": %.1f, \"max_ms\": %.1f, \"bytes\": %d }", nth++ ? ",\n" : "", page, sum[page] / count[page], worst[page], bytes[page]
      printf "\n  }\n}\n"
    }'
}

median() { sort -n | awk '{ all[NR] = $1 } END { print NR % 2 ? all[(NR + 1) / 2] : (all[NR / 2] + all[NR / 2 + 1]) / 2 }'; }

median_of() { awk -v way="$1" '$2 == way { print $1 }' "$dir/loads" | median; } # way

# Of each pair the seconds with readers by those without.
median_ratio() { awk '{ took[$2] = $1 } NR % 2 == 0 { printf "%.3f\n", took["with"] / took["without"] }' "$dir/loads" | median; }
