"""sling, the binary of its wheel called directly: its Python command looks for a newer one elsewhere."""

import json
import subprocess

from ways.way import Way
from world import HOME

PROGRAM = HOME / "peers/sling/program"


class Sling(Way):
    name = "sling"
    how = "`sling run` of a replication, mode full-refresh; new rows: incremental by key and cursor"

    def command(self, workload, is_first):
        stream = {"mode": "full-refresh"}
        if workload.cursor:
            stream = {"mode": "incremental", "primary_key": ["id"], "update_key": workload.cursor}
        replication = self.home(workload) / "replication.json"
        replication.write_text(json.dumps({
            "source": "SOURCE", "target": "TARGET", "defaults": {"object": self.schema(workload) + ".{stream_table}", **stream},
            "streams": {f"public.{table}": {} for table in workload.tables},
        }))
        env = {"SOURCE": self.source_url(workload) + "?sslmode=disable", "TARGET": self.warehouse_url() + "?sslmode=disable",
               "SLING_HOME_DIR": str(self.home(workload)), "SLING_DISABLE_TELEMETRY": "true"}
        return [PROGRAM, "run", "-r", replication], env

    def version(self):
        return subprocess.run([PROGRAM, "--version"], capture_output=True, text=True).stdout.split()[-1]
