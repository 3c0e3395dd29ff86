#!/usr/bin/env bash
# One table through the binary pipe of two psqls, into a fresh table with its key, in one transaction.
#   PSQL SOURCE TARGET SCHEMA TABLE [CURSOR MOMENT]     with a cursor: only what changed, merged by its key
set -euo pipefail

psql=$1 source=$2 target=$3 schema=$4 table=$5 cursor=${6:-} moment=${7:-}
ask() { "$psql" -X -q -At -v ON_ERROR_STOP=1 -d "$@"; }

if [ -n "$cursor" ]; then
  names=$(ask "$source" -c "SELECT string_agg(quote_ident(attname), ', ' ORDER BY attnum) FROM pg_attribute
    WHERE attrelid = 'public.$table'::regclass AND attnum > 0 AND NOT attisdropped")
  ask "$source" -c "COPY (SELECT $names FROM $table WHERE $cursor >= '$moment') TO STDOUT (FORMAT binary)" |
    ask "$target" --single-transaction -c "CREATE TEMPORARY TABLE incoming (LIKE $schema.$table)" \
      -c 'COPY incoming FROM STDIN (FORMAT binary)' -c "DELETE FROM $schema.$table o USING incoming i WHERE o.id = i.id" \
      -c "INSERT INTO $schema.$table SELECT * FROM incoming"
else
  columns=$(ask "$source" -c "SELECT string_agg(format('%I %s%s', attname, format_type(atttypid, atttypmod),
    CASE WHEN attnotnull THEN ' NOT NULL' ELSE '' END), ', ' ORDER BY attnum)
    FROM pg_attribute WHERE attrelid = 'public.$table'::regclass AND attnum > 0 AND NOT attisdropped")
  ask "$source" -c "COPY $table TO STDOUT (FORMAT binary)" |
    ask "$target" --single-transaction -c 'SET client_min_messages = error' \
      -c "CREATE TABLE $schema.${table}_incoming ($columns)" -c "COPY $schema.${table}_incoming FROM STDIN (FORMAT binary)" \
      -c "ALTER TABLE $schema.${table}_incoming ADD CONSTRAINT ${table}_key_$$ PRIMARY KEY (id)" \
      -c "DROP TABLE IF EXISTS $schema.$table" -c "ALTER TABLE $schema.${table}_incoming RENAME TO $table"
fi
