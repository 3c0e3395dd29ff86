"""ingestr, one call a table: it knows no list of them."""

from ways.way import EACH, Way
from world import HOME

PROGRAM = HOME / "peers/ingestr/bin/ingestr"


class Ingestr(Way):
    name = "ingestr"
    how = "`ingestr ingest`, replace, one call a table, four at once; new rows: merge by key and cursor"

    def command(self, workload, is_first):
        table = "{}" if len(workload.tables) > 1 else workload.tables[0]
        source, target = (url.replace("postgres:", "postgresql:", 1) for url in (self.source_url(workload), self.warehouse_url()))
        one = [PROGRAM, "ingest", "--yes", "--progress", "log", "--source-uri", source, "--source-table", f"public.{table}",
               "--dest-uri", target, "--dest-table", f"{self.schema(workload)}.{table}", "--primary-key", "id"]
        if workload.cursor:
            one += ["--incremental-strategy", "merge", "--incremental-key", workload.cursor]
        else:
            one += ["--incremental-strategy", "replace"]
        env = {"DISABLE_TELEMETRY": "true", "INGESTR_DISABLE_TELEMETRY": "true", "RUNTIME__DLTHUB_TELEMETRY": "false", "HOME": str(self.home(workload))}
        return (one if len(workload.tables) == 1 else [EACH, *workload.tables, "--", *one]), env
