#!/usr/bin/env bash
# shellcheck disable=SC2034,SC2154  # dir, barncat, time and the addresses are set by bench.sh, and used there
# A night as users have it: `scripts/bench.sh --night`, which sources this.
#
# 300 tables: 3 large ones of ROWS rows (1,000,000) loaded by a cursor, 27 of a twentieth of it and 270 of up to 1,000 rows
# loaded whole; 4 connections to the source; the stage is S3, a server in a process of its own that writes down each request.
# The first night loads all; before the second one 1 % of the large ones, 2 of the middle and 20 of the small ones change;
# before the third one nothing does.

write_night() {
  local project=$dir/night number
  rm -rf "$project"
  mkdir -p "$project/loaders"
  cat >"$project/barncat.toml" <<TOML
[project]
name = "night"
[sources.shop]
kind = "postgres"
url = "\${SHOP_REPLICA_URL}"
connections = 4
[stage]
url = "s3://stage/night"
endpoint = "$s3_url"
region = "us-east-1"
path_style = true
[warehouse]
kind = "postgres"
url = "\${WAREHOUSE_URL}"
schema = "night"
TOML
  {
    printf 'source = "shop"\nschema = "public"\n[tables]\n"*" = "full"\n'
    for number in 1 2 3; do
      printf 'large_%s = { strategy = "merge", cursor = "updated_at", overlap = "1s" }\n' "$number"
    done
  } >"$project/loaders/shop.toml"
}

make_night() { # rows
  make_database night
  primary_url=${BARNCAT_PRIMARY_ADMIN_URL%/*}/night replica_url=${BARNCAT_REPLICA_URL%/*}/night
  say "making 300 tables"
  psql_at "$primary_url" -v "rows=$1" -f sql/demo/bench-night.sql >/dev/null
  scripts/servers.sh catch-up --dir "$dir/servers"
}

# Requests since the last look, by what they are.
requests_as_json() {
  awk '
    { kind = $1 " object" }
    /uploads/ { kind = "begin an upload" }
    /partNumber=/ { kind = "PUT piece" }
    /uploadId=/ && $1 == "POST" { kind = "end an upload" }
    /list-type=|[?&]prefix=/ { kind = "LIST" }
    /[?&]delete/ { kind = "DELETE many" }
    { count[kind]++ }
    END {
      printf "{"
      for (kind in count) { printf "%s\"%s\": %d", separator, kind, count[kind]; separator = ", " }
      printf "}"
    }' "$dir/stage/requests"
}

# Bytes that lie in S3, of all nights.
bytes_in_s3() { find "$dir/stage/stage" -type f -printf '%s\n' 2>/dev/null | awk '{ bytes += $1 } END { print bytes + 0 }'; }

one_night() { # name
  local before
  before=$(bytes_in_s3)
  : >"$dir/stage/requests"
  take_figures "$1" night run_barncat "$1" "$dir/night"
  jq -n --arg night "$1" --arg figures "$(tail -n 1 "$dir/figures")" --slurpfile run "$dir/$1.json" \
    --argjson requests "$(requests_as_json)" --argjson bytes "$(($(bytes_in_s3) - before))" '
    ($figures | split("\t")) as $f
    | {night: $night, minutes: (($f[1] | tonumber) / 60 * 100 | round / 100), client_cpu_seconds: ($f[2] | tonumber),
       source_cpu_seconds: ($f[3] | tonumber), warehouse_cpu_seconds: ($f[4] | tonumber), peak_memory_bytes: ($f[6] | tonumber),
       tasks: ($run[0].tasks | group_by(.status) | map({(.[0].status): length}) | add),
       rows: ($run[0].tasks | map(.rows // 0) | add), staged_bytes: $bytes, requests_to_the_stage: $requests}' >>"$dir/nights"
}

night() {
  local rows=${ROWS:-1000000} table
  type -P jq >/dev/null || fail "jq is missing" "apt-get install jq"
  psql_at "$BARNCAT_WAREHOUSE_ADMIN_URL" -c 'SET client_min_messages = error' -c 'DROP SCHEMA IF EXISTS night CASCADE'
  rm -rf "$dir/stage" "$dir/figures" "$dir/nights"
  mkdir -p "$dir/stage"
  serve_s3
  make_night "$rows"
  write_night
  one_night first
  for table in large_1 large_2 large_3; do
    psql_at "$primary_url" -c "UPDATE $table SET updated_at = clock_timestamp(), status = 'changed' WHERE id % 100 = 7"
  done
  for table in middle_01 middle_02 small_{001..020}; do psql_at "$primary_url" -c "UPDATE $table SET note = 'changed' WHERE id = 1"; done
  one_night second
  one_night third
  jq -s --argjson rows "$rows" '{rows_of_a_large_table: $rows, nights: .}' "$dir/nights"
}
