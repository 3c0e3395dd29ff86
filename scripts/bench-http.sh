#!/usr/bin/env bash
# shellcheck disable=SC2034,SC2154  # dir, barncat, time and the addresses are set by bench.sh, and used there
# Records of a service through paging: `scripts/bench.sh --http`, which sources this.
#
# SIZES records (100,000 and 1,000,000) in pages of 1,000, answered by scripts/bench-http.py: JSON to rows of eight columns, staged
# and published to Postgres. Our own CPU seconds and peak memory; a service that answers slowly costs time of the clock, which
# says nothing of us.

write_http() { # url
  local project=$dir/http
  rm -rf "$project"
  mkdir -p "$project/loaders"
  cat >"$project/barncat.toml" <<TOML
[project]
name = "http"
[sources.api]
kind = "http"
url = "$1"
allow_http = true
allow_private = true
[stage]
url = "file:./stage"
[warehouse]
kind = "postgres"
url = "\${WAREHOUSE_URL}"
schema = "http"
TOML
  cat >"$project/loaders/api.toml" <<'TOML'
source = "api"
into = "raw_http"
[tables.payments]
strategy = "full"
path = "/payments"
records = "$.data[*]"
columns = { id = "bigint", customer = "bigint $.customer.id", name = "text $.customer.name", amount = "numeric(12, 2)", currency = "text", paid = "boolean", at = "timestamptz", note = "text" }
key = ["id"]
paging = { cursor = "$.next", parameter = "after", total = "$.total" }
TOML
}

http() {
  local size server seen
  rm -f "$dir/figures"
  for size in ${SIZES:-100000 1000000}; do
    rm -f "$dir/http-url"
    scripts/bench-http.py "$size" "$dir/http-url" &
    server=$!
    # shellcheck disable=SC2064  # now, not then
    trap "kill $server 2>/dev/null || true" EXIT
    until [ -e "$dir/http-url" ]; do
      kill -0 "$server" 2>/dev/null || fail "the service did not start"
      sleep 0.2
    done
    psql_at "$BARNCAT_WAREHOUSE_ADMIN_URL" -c 'SET client_min_messages = error' \
      -c 'DROP SCHEMA IF EXISTS barncat, barncat_control, barncat_staging, raw_http CASCADE'
    write_http "$(cat "$dir/http-url")"
    say "$size records: seconds of wall, client, source, warehouse; bytes staged, peak memory"
    take_figures "$size" http run_barncat http "$dir/http"
    seen=$(psql_at "$warehouse_url" -c 'SELECT count(*) FROM raw_http.payments')
    [ "$seen" = "$size" ] || fail "of $size records $seen arrived"
    kill "$server"
    wait "$server" 2>/dev/null || true
  done
  awk -F '\t' 'BEGIN { printf "{\"records\": {" }
    { printf "%s\"%s\": {\"wall_seconds\": %s, \"client_cpu_seconds\": %s, \"records_per_client_cpu_second\": %d, \"peak_memory_bytes\": %s}",
        separator, $1, $2, $3, $1 / $3, $7; separator = ", " }
    END { print "}}" }' "$dir/figures"
}
