#!/usr/bin/env bash
# Holds a running service against docs/openapi.json, by schemathesis: it makes requests of the description, sensible ones and
# others, and looks whether each answer is one that is described. Once where no token is needed, once with it, once without.
# Takes a minute. The project has something of everything that the API shows: a failed check, a blocked task, a deadline, names that are odd.
#
# BUILT (a folder with the program in it, as target/debug): nothing is built. EXAMPLES: requests of each kind.
set -euo pipefail

# shellcheck source=scripts/common.sh
. "$(dirname "$0")/common.sh"

cd "$(dirname "$0")/.."
dir=$PWD/target/api-check
token=$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')

down() {
  [ -z "${pid:-}" ] || kill "$pid" 2>/dev/null || true
  scripts/servers.sh down --dir "$dir/servers"
}

if ! cmp --silent scripts/api-check.txt "$dir/venv/api-check.txt"; then
  python3 -m venv --clear "$dir/venv" || fail "no virtual environment" "install python3 with its venv (apt-get install python3-venv)"
  "$dir/venv/bin/pip" install --quiet --disable-pip-version-check --requirement scripts/api-check.txt
  cp scripts/api-check.txt "$dir/venv/"
fi
barncat=$(realpath "${BUILT:-${CARGO_TARGET_DIR:-target}/release}")/barncat
[ -n "${BUILT:-}" ] || cargo build --release --bin barncat

write_project() {
  rm -rf "$dir/project"
  mkdir -p "$dir/project/loaders" "$dir/project/sql/models" "$dir/project/sql/checks"
  cat >"$dir/project/barncat.toml" <<'TOML'
[project]
name = "api"
timezone = "Europe/London"

[sources.shop]
kind = "postgres"
url = "${SHOP_URL}"
allow_primary = true

[stage]
url = "file:./stage"

[warehouse]
kind = "postgres"
url = "${WAREHOUSE_URL}"
schema = "analytics"

[schedules]
yearly = { cron = "0 4 1 1 *" }

[tasks.broken]
command = ["false"]
owner = "somebody"
TOML
  cat >"$dir/project/loaders/shop.toml" <<'TOML'
source = "shop"
schema = "public"
into = "raw"

[tables]
orders = { strategy = "append", cursor = "id", tags = ["hot"], checks = { not_null = ["rider"], unique = ["id"] } }
'a "table" / <b>ü</b>?#%' = "full"
TOML
  cat >"$dir/project/sql/models/totals.sql" <<'SQL'
/* barncat
deadline = "06:00"
checks = { row_count = { min = 6 } }
*/
SELECT rider, count(*) AS orders FROM orders GROUP BY rider
SQL
  printf "/* barncat\nneeds = [\"broken\"]\n*/\nSELECT 1 WHERE false\n" >"$dir/project/sql/checks/never_asked.sql"
}

# Runs that end in each way; one of them changes a schema.
make_history() {
  local psql=("$BARNCAT_SERVERS_BIN/psql" -X -q -v ON_ERROR_STOP=1 -d "$BARNCAT_PRIMARY_ADMIN_URL")
  "${psql[@]}" <<'SQL'
CREATE TABLE orders (id int PRIMARY KEY, rider int);
INSERT INTO orders SELECT n, nullif(n % 3, 0) FROM generate_series(1, 30) n;
CREATE TABLE "a ""table"" / <b>ü</b>?#%" (id int PRIMARY KEY);
SQL
  (
    cd "$dir/project"
    "$barncat" validate
    "$barncat" run --quiet || true
    "${psql[@]}" -c 'ALTER TABLE orders ADD COLUMN tip int' -c 'INSERT INTO orders VALUES (31, 1, 1)'
    "$barncat" run --quiet || true
    "$barncat" hold totals --reason 'for the test' --for 12h
    "$barncat" run --quiet totals || true
  ) >"$dir/history.log" 2>&1 || fail "there is no history to look at" "see $dir/history.log"
}

# The description, with a run and tables that there are: by chance nobody asks for one.
describe() {
  (cd "$dir/project" && "$barncat" history --output json) >"$dir/history.json"
  python3 - "$dir" <<'PYTHON'
import json
import sys
from pathlib import Path

folder = Path(sys.argv[1])
description = json.loads(Path("docs/openapi.json").read_text())
runs = [run["run"] for run in json.loads((folder / "history.json").read_text())["runs"]]
names = ["raw.orders", 'raw.a "table" / <b>ü</b>?#%', "analytics.totals", "broken", "never_asked"]
there = {"run": runs, "before": runs, "name": names, "select": ["*", "raw.orders+", "tier:critical"]}
for path in description["paths"].values():
    for parameter in path["get"]["parameters"]:
        values = there.get(parameter["name"], [])
        if values:
            parameter["examples"] = {f"nth{nth}": {"value": value} for nth, value in enumerate(values)}
(folder / "openapi.json").write_text(json.dumps(description))
PYTHON
}

# A service on a free port, until the next one.
start_service() {
  [ -z "${pid:-}" ] || { kill "$pid" && { wait "$pid" || true; }; }
  (cd "$dir/project" && exec "$barncat" serve --listen 127.0.0.1:0 --log-format json) 2>"$dir/serve.log" &
  pid=$!
  until at=$(sed -n 's/.*"listen":"\([^"]*\)".*/\1/p' "$dir/serve.log") && [ -n "$at" ] && curl -s "http://$at/readyz" | grep -q '"ready":true'; do
    kill -0 "$pid" 2>/dev/null || fail "the service ended" "see $dir/serve.log"
    sleep 0.1
  done
}

# Fewer requests a second than the service takes.
ask() { # name options…
  printf '== %s\n' "$1" >&2
  # It keeps what it found where it is started.
  (cd "$dir" && venv/bin/schemathesis run "$dir/openapi.json" --url "http://$at" --checks all --phases examples,coverage,fuzzing \
    --max-examples "${EXAMPLES:-15}" --rate-limit 90/s --workers 1 --generation-database none --warnings off "${@:2}") >"$dir/said" 2>&1 || {
    cat "$dir/said" >&2
    fail "$1: the API is not what docs/openapi.json says"
  }
  grep -E 'generated|passed' "$dir/said" | tail -n 2 >&2 || true
}

trap down EXIT
trap 'exit 130' INT TERM
scripts/servers.sh down --dir "$dir/servers"
scripts/servers.sh up --dir "$dir/servers" --only primary,warehouse >/dev/null
# shellcheck disable=SC1091  # made by servers.sh
. "$dir/servers/env"
export SHOP_URL=$BARNCAT_PRIMARY_URL WAREHOUSE_URL=$BARNCAT_WAREHOUSE_URL
write_project
make_history
describe
start_service
ask "where no token is needed"
export BARNCAT_TOKEN=$token
start_service
ask "with the token" --header "Authorization: Bearer $token"
ask "without the token"
