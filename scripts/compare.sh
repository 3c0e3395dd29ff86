#!/usr/bin/env bash
# Compares the demo's source with what barncat published: each table's columns, its row count, and the
# sum of its rows' hashes, computed by each server for itself. Exit status 1 when any table differs.
#
#   scripts/compare.sh [--dir DIR] [WAREHOUSE]     DIR holds the servers' `env` (default: .demo)
#
# WAREHOUSE is postgres (the default), redshift or redshift-wire: then the Postgres behind the double is
# asked, and the source converts its values as docs/REDSHIFT.md says that they arrive.
#
# The list starts from the *source*: a table or column that was not loaded shows up as a difference.
# Models have no source, and are not compared.
#
# What loaders/shop.toml changes on the way, and how types arrive, is written down here a second time, so
# that a mistake in reading that file, or in converting, is a difference too.
set -euo pipefail

repo=$(cd "$(dirname "$0")/.." && pwd)
dir=$repo/.demo
if [ "${1:-}" = --dir ]; then dir=$2 && shift 2; fi
warehouse=${1:-postgres}
# shellcheck disable=SC1091  # made by servers.sh
. "$dir/env"
case $warehouse in
  postgres) warehouse_url=$BARNCAT_WAREHOUSE_URL ;;
  *) warehouse_url=${BARNCAT_WAREHOUSE_ADMIN_URL%/*}/${warehouse//-/_} ;;
esac
# The way that a row's text shows intervals; Redshift has that text.
[ "$warehouse" = postgres ] || export PGOPTIONS='-c intervalstyle=iso_8601'

ask() { # url sql
  "$BARNCAT_SERVERS_BIN/psql" -X -q -At -v ON_ERROR_STOP=1 -d "$1" -c "$2"
}

published_name() { case $1 in city_revenue) echo monthly_revenue ;; *) echo "$1" ;; esac; }
condition() { case $1 in order_events) echo "happened_at >= '2026-01-01 00:00+00'" ;; *) echo true ;; esac; }

# SQL for a column's type in the warehouse and for its value there, as the source has it. All that is not
# named here is the same, or the same text.
arrival_sql() {
  local hash="format('encode(sha256(convert_to(%I, ''UTF8'')), ''hex'')', name)"
  case $warehouse in
    postgres) echo "CASE WHEN hashed THEN $hash ELSE quote_ident(name) END" ;;
    *)
      cat <<SQL
CASE WHEN hashed THEN $hash
     WHEN category = 'A' OR type IN ('json', 'jsonb') THEN format('to_jsonb(%I)', name)
     WHEN type = 'numeric' AND modifier < 0 THEN format('%I::numeric(38,18)', name)
     WHEN type = 'bpchar' THEN format('%I::text', name)
     ELSE quote_ident(name) END
SQL
      ;;
  esac
}

# SQL that lists a table's columns in their order: as the warehouse must hold them, and their names.
columns_sql() { # schema table
  cat <<SQL
WITH columns AS (
    SELECT a.attnum AS position, a.attname AS name, coalesce(b.typname, t.typname) AS type,
           coalesce(b.typcategory, t.typcategory) AS category, greatest(a.atttypmod, t.typtypmod) AS modifier,
           c.relname = 'customers' AND a.attname IN ('email', 'phone') AS hashed
    FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_type t ON t.oid = a.atttypid
    LEFT JOIN pg_type b ON b.oid = t.typbasetype
    WHERE c.relnamespace = to_regnamespace('$1') AND c.relname = '$2' AND a.attnum > 0 AND NOT a.attisdropped)
SELECT string_agg($(arrival_sql), ', ' ORDER BY position), string_agg(quote_ident(name), ', ' ORDER BY position)
FROM columns
WHERE ('$2', name) NOT IN (('customers', 'password_hash'), ('riders', 'iban'), ('riders', 'last_ip'))
SQL
}

# Every column that the warehouse's table has, also those that should not be there.
names_sql() { # table
  cat <<SQL
SELECT string_agg(quote_ident(attname), ', ' ORDER BY attnum)
FROM pg_attribute WHERE attrelid = to_regclass('raw_shop.$1') AND attnum > 0 AND NOT attisdropped
SQL
}

digest_sql() { # columns table condition
  printf 'SELECT count(*), coalesce(sum(hashtextextended(ROW(%s)::text, 0)::numeric), 0) FROM %s WHERE %s' "$@"
}

tables=$(ask "$BARNCAT_REPLICA_URL" "SELECT relname FROM pg_class
  WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p', 'v', 'm') AND NOT relispartition
  ORDER BY relname")
[ -n "$tables" ] || { printf 'error: the source has no tables\n' >&2 && exit 1; }

differing=0 compared=0
for table in $tables; do
  IFS='|' read -r source_columns columns <<<"$(ask "$BARNCAT_REPLICA_URL" "$(columns_sql public "$table")")"
  name=$(published_name "$table")
  source=$(ask "$BARNCAT_REPLICA_URL" "$(digest_sql "$source_columns" "public.$table" "$(condition "$table")")")
  found=$(ask "$warehouse_url" "$(digest_sql "$columns" "raw_shop.$name" true)" 2>&1) || found=${found%%$'\n'*}
  names=$(ask "$warehouse_url" "$(names_sql "$name")")
  compared=$((compared + 1))
  if [ "$source" = "$found" ] && [ "$columns" = "$names" ]; then
    printf '  ✓ %-16s %10s rows equal\n' "$name" "${source%|*}"
  else
    differing=$((differing + 1))
    printf '  ✗ %-16s source %s (rows|hash), warehouse %s\n' "$name" "$source" "$found"
    [ "$columns" = "$names" ] || printf '    columns: %s; in the warehouse: %s\n' "$columns" "${names:-none}"
  fi
done
if [ "$differing" -gt 0 ]; then
  printf 'error: %s of %s tables differ\n' "$differing" "$compared" >&2
  exit 1
fi
printf '%s tables are equal to the source\n' "$compared"
