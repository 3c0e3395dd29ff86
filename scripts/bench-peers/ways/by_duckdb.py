"""DuckDB's extension for Postgres, by a program of a few lines."""

from ways.way import INSIDE, Way
from world import HOME

PYTHON = HOME / "peers/duckdb/bin/python"


class DuckDb(Way):
    name = "duckdb"
    how = "both servers attached, DROP and CREATE TABLE AS in one transaction; new rows into a table beside, then merged there"

    def prepare(self, workload):
        super().prepare(workload)
        self.servers.ask("warehouse", self.database, f"CREATE SCHEMA {self.schema(workload)} AUTHORIZATION barncat_warehouse")

    def command(self, workload, is_first):
        new = [workload.cursor, workload.moment] if workload.cursor and not is_first else ["-", "-"]
        return [PYTHON, INSIDE / "copy_by_duckdb.py", self.source_url(workload), self.warehouse_url(), self.schema(workload), *new,
                *workload.tables], {}
