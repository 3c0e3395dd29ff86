#!/usr/bin/env bash
# shellcheck disable=SC2154  # dir, barncat and the addresses are set by bench.sh
# The dashboard with a long history: `scripts/bench.sh --dashboard`, which sources this.
#
# TABLES (2000) tables, RUNS (500) runs of all of them, RATE (20) requests a second for SECONDS_MEASURED (60), one page after the
# other, each by a connection of its own.

dashboard_pages() {
  local run
  run=$(psql_at "$warehouse_url" -c "SELECT run FROM barncat_control.runs ORDER BY started_at DESC LIMIT 1")
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

dashboard() {
  local tables=${TABLES:-2000} runs=${RUNS:-500} rate=${RATE:-20} seconds=${SECONDS_MEASURED:-60} port=${PORT:-8765} at page nth=0 pid askers=()
  command -v curl >/dev/null || fail "curl is missing" "apt-get install curl"
  write_dashboard_project
  at=http://127.0.0.1:$port
  SHOP_REPLICA_URL=$BARNCAT_REPLICA_URL WAREHOUSE_URL=$warehouse_url "$barncat" serve --project "$dir/dashboard" \
    --listen "127.0.0.1:$port" 2>"$dir/dashboard.log" &
  pid=$!
  # shellcheck disable=SC2064  # the process is known now
  trap "kill $pid 2>/dev/null || true" EXIT
  until curl -sf "$at/api/v1/tasks" >/dev/null; do
    kill -0 "$pid" 2>/dev/null || fail "the service ended" "see $dir/dashboard.log"
    sleep 0.2
  done
  say "making a history of $runs runs of $tables tables"
  psql_at "$warehouse_url" -v schema=barncat_control -v "tables=$tables" -v "runs=$runs" -f sql/demo/bench-dashboard.sql >/dev/null
  mapfile -t pages < <(dashboard_pages)
  for page in "${pages[@]}"; do
    curl -sf -o /dev/null "$at$page" || fail "$page was not answered" "see $dir/dashboard.log"
  done
  say "asking $rate times a second for $seconds s"
  : >"$dir/figures"
  local begun=$EPOCHREALTIME
  while [ "$nth" -lt $((rate * seconds)) ]; do
    page=${pages[$((nth % ${#pages[@]}))]}
    curl -s -o /dev/null -w "%{http_code} %{time_total} %{size_download} $page\n" "$at$page" >>"$dir/figures" &
    askers+=($!)
    nth=$((nth + 1))
    sleep "$(awk -v begun="$begun" -v now="$EPOCHREALTIME" -v nth="$nth" -v rate="$rate" \
      'BEGIN { wait = begun + nth / rate - now; printf "%.4f", wait > 0 ? wait : 0 }')"
  done
  wait "${askers[@]}"
  local memory
  memory=$(awk '/VmHWM/ { print $2 * 1024 }' "/proc/$pid/status")
  kill "$pid"
  wait "$pid" || true
  trap - EXIT
  sort -k2,2n "$dir/figures" | awk -v tables="$tables" -v runs="$runs" -v memory="$memory" '
    { all[NR] = $2; if ($1 != 200) bad++; if ($2 > worst[$4]) worst[$4] = $2; count[$4]++; sum[$4] += $2; bytes[$4] = $3 }
    END {
      p50 = all[int(NR * 0.5) + 1]; p99 = all[int(NR * 0.99) + 1]
      printf "{\n  \"tables\": %d, \"runs\": %d, \"attempts\": %d, \"requests\": %d, \"not_answered\": %d,\n", tables, runs, tables * runs, NR, bad
      printf "  \"p50_ms\": %.1f, \"p99_ms\": %.1f, \"max_ms\": %.1f, \"peak_memory_bytes\": %d,\n  \"pages\": {\n", p50 * 1000, p99 * 1000, all[NR] * 1000, memory
      nth = 0
      for (page in count) printf "%s    \"%s\": { \"mean_ms\": %.1f, \"max_ms\": %.1f, \"bytes\": %d }", nth++ ? ",\n" : "", page, sum[page] / count[page] * 1000, worst[page] * 1000, bytes[page]
      printf "\n  }\n}\n"
    }'
}
