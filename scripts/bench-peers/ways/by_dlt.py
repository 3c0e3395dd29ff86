"""dlt, with the backend and the files that were the fastest of its own here."""

import shutil

from ways.way import INSIDE, Way
from world import HOME

PYTHON = HOME / "peers/dlt/bin/python"


class Dlt(Way):
    name = "dlt"
    how = "`sql_database`, backend connectorx, parquet by ADBC (the least CPU time of its backends and files), replace; new rows: merge by key and cursor"

    def command(self, workload, is_first):
        env = {"RUNTIME__DLTHUB_TELEMETRY": "false", "DLT_DATA_DIR": str(self.home(workload))}
        return [PYTHON, INSIDE / "copy_by_dlt.py", self.source_url(workload), self.warehouse_url(), self.schema(workload),
                workload.cursor or "-", *workload.tables], env

    def prepare(self, workload):
        super().prepare(workload)
        shutil.rmtree(self.home(workload))
        self.home(workload)
        self.servers.ask("warehouse", self.database, "SET client_min_messages = error", f"DROP SCHEMA IF EXISTS {self.schema(workload)}_staging CASCADE")
