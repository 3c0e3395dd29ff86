#!/usr/bin/env bash
# Compares the demo's source with what barncat published: each table's row count, and the sum of its
# rows' hashes, computed by each server for itself. Exit status 1 when any table differs.
#
#   scripts/compare.sh [--dir DIR]     DIR holds the servers' `env` (default: .demo)
#
# The list starts from the *source*: a table or column that was not loaded shows up as a difference.
# What loaders/shop.toml changes on the way is written down here a second time, so that a mistake in
# reading that file is a difference too.
set -euo pipefail

repo=$(cd "$(dirname "$0")/.." && pwd)
dir=$repo/.demo
[ "${1:-}" != --dir ] || dir=$2
# shellcheck disable=SC1091  # made by servers.sh
. "$dir/env"

ask() { # url sql
  "$BARNCAT_SERVERS_BIN/psql" -X -q -At -v ON_ERROR_STOP=1 -d "$1" -c "$2"
}

published_name() { case $1 in city_revenue) echo monthly_revenue ;; *) echo "$1" ;; esac; }
condition() { case $1 in order_events) echo "happened_at >= '2026-01-01 00:00+00'" ;; *) echo true ;; esac; }

# SQL that lists a table's columns as the warehouse must hold them, in their order.
columns_sql() { # table
  cat <<SQL
SELECT string_agg(CASE WHEN table_name = 'customers' AND column_name IN ('email', 'phone')
           THEN format('encode(sha256(convert_to(%I, ''UTF8'')), ''hex'')', column_name)
           ELSE quote_ident(column_name) END, ', ' ORDER BY ordinal_position),
       string_agg(quote_ident(column_name), ', ' ORDER BY ordinal_position)
FROM information_schema.columns
WHERE table_schema = 'public' AND table_name = '$1'
  AND (table_name, column_name) NOT IN (('customers', 'password_hash'), ('riders', 'iban'), ('riders', 'last_ip'))
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
  IFS='|' read -r source_columns columns <<<"$(ask "$BARNCAT_REPLICA_URL" "$(columns_sql "$table")")"
  name=$(published_name "$table")
  source=$(ask "$BARNCAT_REPLICA_URL" "$(digest_sql "$source_columns" "public.$table" "$(condition "$table")")")
  warehouse=$(ask "$BARNCAT_WAREHOUSE_URL" "$(digest_sql "$columns" "raw_shop.$name" true)" 2>&1) || warehouse=${warehouse%%$'\n'*}
  compared=$((compared + 1))
  if [ "$source" = "$warehouse" ]; then
    printf '  ✓ %-16s %10s rows equal\n' "$name" "${source%|*}"
  else
    differing=$((differing + 1))
    printf '  ✗ %-16s source %s (rows|hash), warehouse %s\n' "$name" "$source" "$warehouse"
  fi
done
if [ "$differing" -gt 0 ]; then
  printf 'error: %s of %s tables differ\n' "$differing" "$compared" >&2
  exit 1
fi
printf '%s tables are equal to the source\n' "$compared"
