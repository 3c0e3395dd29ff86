"""Copies tables by DuckDB's extension: SOURCE TARGET SCHEMA CURSOR|- MOMENT|- TABLE…"""

import sys
from pathlib import Path

import duckdb
import duckdb_extension_postgres_scanner

source, target, schema, cursor, moment, *tables = sys.argv[1:]
there = duckdb.connect()
extension = next(Path(duckdb_extension_postgres_scanner.__file__).parent.rglob("*.duckdb_extension"))
there.execute(f"LOAD '{extension}'")
there.execute(f"ATTACH '{source}' AS source (TYPE postgres, READ_ONLY)")
there.execute(f"ATTACH '{target}' AS target (TYPE postgres)")
for table in tables:
    there.execute("BEGIN")
    if cursor == "-":
        there.execute(f"DROP TABLE IF EXISTS target.{schema}.{table}")
        there.execute(f"CREATE TABLE target.{schema}.{table} AS FROM source.public.{table}")
    else:
        there.execute(f"DROP TABLE IF EXISTS target.{schema}.incoming")
        there.execute(f"CREATE TABLE target.{schema}.incoming AS FROM source.public.{table} WHERE {cursor} >= TIMESTAMPTZ '{moment}'")
        there.execute(f"CALL postgres_execute('target', 'DELETE FROM {schema}.{table} o USING {schema}.incoming i WHERE o.id = i.id')")
        there.execute(f"CALL postgres_execute('target', 'INSERT INTO {schema}.{table} SELECT * FROM {schema}.incoming')")
    there.execute("COMMIT")
