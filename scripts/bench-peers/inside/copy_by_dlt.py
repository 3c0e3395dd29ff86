"""Copies tables by dlt: SOURCE TARGET DATASET CURSOR|- TABLE…"""

import os
import sys

import dlt
from dlt.sources.sql_database import sql_database

source, target, dataset, cursor, *tables = sys.argv[1:]
# SQLAlchemy knows the driver by this name.
source = source.replace("postgres:", "postgresql+psycopg2:", 1)
# Of the backends and files that it has, these took the least CPU time here: parquet goes in by ADBC.
backend, files = os.environ.get("BACKEND", "connectorx"), os.environ.get("FILES", "parquet")
database = sql_database(source, schema="public", table_names=tables, backend=backend, chunk_size=100_000)
disposition = "replace"
if cursor != "-":
    disposition = {"disposition": "merge", "strategy": "upsert"}
    for table in tables:
        database.resources[table].apply_hints(primary_key="id", incremental=dlt.sources.incremental(cursor))
pipeline = dlt.pipeline(dataset, destination=dlt.destinations.postgres(target), dataset_name=dataset, pipelines_dir=os.environ["DLT_DATA_DIR"])
pipeline.run(database, write_disposition=disposition, loader_file_format=files)
