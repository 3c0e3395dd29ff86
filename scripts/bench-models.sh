#!/usr/bin/env bash
# shellcheck disable=SC2154  # dir, barncat and the addresses are set by bench.sh
# What 500 tiny models cost over the SQL itself: `scripts/bench.sh --models`, which sources this.
#
# Five layers of 100 models; each reads two of the layer before. The rival makes the very same tables by
# as many sessions of psql as barncat has jobs, each started once: table, ANALYZE, ledger's row, comment,
# names, one transaction a model. JOBS (4) and RUNS (3) choose; each round takes each way in turn. Commits
# are waited for by `fsync`, as they are in earnest.

model_name() { printf 'm%d_%02d' "$1" "$2"; } # layer number

# Reads tables of its own number modulo the jobs alone, so that the rival's sessions need not wait for each other.
model_sql() { # layer number schema.
  if [ "$1" = 1 ]; then
    echo "select $2 as id, 'model $2' as name"
  else
    echo "select a.id, b.name from $3$(model_name $(($1 - 1)) "$2") a cross join $3$(model_name $(($1 - 1)) $((($2 + jobs) % 100))) b"
  fi
}

write_models() {
  local project=$dir/models layer number
  rm -rf "$project"
  mkdir -p "$project/sql/models"
  cat >"$project/barncat.toml" <<'TOML'
[project]
name = "models"
[sources.none]
kind = "postgres"
url = "${WAREHOUSE_URL}"
[stage]
url = "file:./stage"
[warehouse]
kind = "postgres"
url = "${WAREHOUSE_URL}"
schema = "models"
TOML
  for layer in 1 2 3 4 5; do
    for number in $(seq 0 99); do
      model_sql "$layer" "$number" '' >"$project/sql/models/$(model_name "$layer" "$number").sql"
    done
  done
}

# The statements for one model; `again` where the table is there already.
by_hand() { # layer number again
  local name load previous=NULL away=''
  name=$(model_name "$1" "$2") load="r$round$3_$(model_name "$1" "$2")"
  if [ "$3" = again ]; then
    previous="'r${round}first_$name'"
    away="ALTER TABLE by_hand.$name RENAME TO old_$name;"
  fi
  cat <<SQL
BEGIN;
CREATE TABLE by_hand_staging.$load AS $(model_sql "$1" "$2" by_hand.);
ANALYZE by_hand_staging.$load;
INSERT INTO by_hand.loads (load, table_schema, table_name, previous, project, run, strategy, publish, source, source_schema,
  source_table, as_of, snapshot, schema_hash, schema, rows, bytes, table_rows, state)
VALUES ('$load', 'by_hand', '$name', $previous, 'models', '$round', 'model', 'swap', '', 'by_hand', '$name', now(), '',
  md5('$load'), '{"kind": "table", "columns": [{"name": "id"}, {"name": "name"}], "key": []}', 1, 0, 1, '{"strategy": "model"}');
$away
ALTER TABLE by_hand_staging.$load SET SCHEMA by_hand;
ALTER TABLE by_hand.$load RENAME TO $name;
COMMENT ON TABLE by_hand.$name IS '';
${away:+DROP TABLE by_hand.old_$name;}
COMMIT;
SQL
}

write_by_hand() { # again
  local session layer number
  for session in $(seq 0 $((jobs - 1))); do
    for layer in 1 2 3 4 5; do
      for number in $(seq "$session" "$jobs" 99); do by_hand "$layer" "$number" "$1"; done
    done >"$dir/by-hand-$1-$session.sql"
  done
}

run_by_hand() { # again
  local session pids=() pid
  for session in $(seq 0 $((jobs - 1))); do
    psql_at "$warehouse_url" -f "$dir/by-hand-$1-$session.sql" &
    pids+=($!)
  done
  for pid in "${pids[@]}"; do wait "$pid"; done
}

run_models() { # arguments…
  WAREHOUSE_URL=$warehouse_url "$barncat" run --quiet --output json --jobs "$jobs" --project "$dir/models" "$@" >"$dir/models.json"
}

# How the tasks of the last run ended must be what was meant to be measured.
require_all() { # count status
  local count
  count=$(grep -o "\"status\": *\"$2\"" "$dir/models.json" | wc -l)
  [ "$count" -ge "$1" ] || fail "only $count of $1 models were $2"
}

# Appends what, wall, client's CPU, warehouse's CPU, all in seconds.
measure_models() { # what command…
  local TIMEFORMAT='%R %U %S' before
  psql_at "$BARNCAT_WAREHOUSE_ADMIN_URL" -c CHECKPOINT
  before=$(cluster_cpu "$BARNCAT_WAREHOUSE_PID")
  { time "${@:2}" 2>"$dir/command.log"; } 2>"$dir/time" || { cat "$dir/command.log" >&2 && fail "$1 failed"; }
  awk -v what="$1" -v used="$(cat "$dir/time")" -v before="$before" -v after="$(cluster_cpu "$BARNCAT_WAREHOUSE_PID")" '
    BEGIN { split(used, t, " "); printf "%s\t%s\t%.2f\t%.2f\n", what, t[1], t[2] + t[3], after - before }' >>"$dir/models-figures"
  tail -n 1 "$dir/models-figures" >&2
}

models() {
  local jobs=${JOBS:-4} round again
  [ $((100 % jobs)) = 0 ] || fail "JOBS must divide 100"
  psql_at "$BARNCAT_WAREHOUSE_ADMIN_URL" -c 'ALTER SYSTEM SET fsync = on' -c 'SELECT pg_reload_conf()' >/dev/null
  rm -f "$dir/models-figures"
  write_models
  for round in $(seq "${RUNS:-3}"); do
    say "round $round of ${RUNS:-3}: what, seconds of wall, client's and warehouse's CPU"
    psql_at "$BARNCAT_WAREHOUSE_ADMIN_URL" -c 'SET client_min_messages = error' \
      -c 'DROP SCHEMA IF EXISTS models CASCADE' -c 'DROP SCHEMA IF EXISTS by_hand CASCADE' -c 'DROP SCHEMA IF EXISTS by_hand_staging CASCADE' \
      -c 'DROP SCHEMA IF EXISTS barncat, barncat_control, barncat_staging CASCADE' -c VACUUM
    # One model alone makes the schemas that the rival finds made, too.
    run_models m1_00
    psql_at "$warehouse_url" -c 'CREATE SCHEMA by_hand' -c 'CREATE SCHEMA by_hand_staging' \
      -c 'CREATE TABLE by_hand.loads (LIKE barncat.loads INCLUDING ALL)'
    for again in first again; do write_by_hand "$again"; done
    measure_models 'by hand, first' run_by_hand first
    measure_models 'barncat, first' run_models
    require_all 500 succeeded
    # What reads no table is made each time: only models that read some can be unchanged.
    measure_models 'barncat, unchanged' run_models 'm[2-5]_*'
    require_all 400 unchanged
    measure_models 'by hand, again' run_by_hand again
    measure_models 'barncat, again' run_models --full
    require_all 500 succeeded
  done
  psql_at "$BARNCAT_WAREHOUSE_ADMIN_URL" -v "runs=${RUNS:-3}" -v "jobs=$jobs" -f - <<SQL
CREATE TEMPORARY TABLE figures (what text, wall float, client float, warehouse float);
\\copy figures FROM '$dir/models-figures'
CREATE TEMPORARY VIEW medians AS
SELECT what, percentile_cont(0.5) WITHIN GROUP (ORDER BY wall) AS wall, percentile_cont(0.5) WITHIN GROUP (ORDER BY client) AS client,
       percentile_cont(0.5) WITHIN GROUP (ORDER BY warehouse) AS warehouse
FROM figures GROUP BY what;
SELECT jsonb_pretty(jsonb_build_object('models', 500, 'jobs', :jobs, 'runs', :runs,
    'added_ms_per_task', (SELECT jsonb_object_agg(b.what, round(((b.wall - coalesce(h.wall, 0)) * 1000 / CASE WHEN h.wall IS NULL THEN 400 ELSE 500 END)::numeric, 2))
        FROM medians b LEFT JOIN medians h ON h.what = replace(b.what, 'barncat', 'by hand') WHERE b.what LIKE 'barncat%'),
    'ways', (SELECT jsonb_object_agg(what, jsonb_build_object('wall_seconds', round(wall::numeric, 2),
        'client_cpu_seconds', round(client::numeric, 2), 'warehouse_cpu_seconds', round(warehouse::numeric, 2))) FROM medians)));
SQL
}
