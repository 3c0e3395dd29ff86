"""What all ways have in common."""

from pathlib import Path

from world import HOME

INSIDE = Path(__file__).resolve().parents[1] / "inside"
EACH = INSIDE / "each.sh"


class Way:
    """One way; each workload has a schema of its own in the warehouse. `how` is a line for the report."""

    name = how = ""
    database = "warehouse"
    source_server = "standby"

    def __init__(self, servers):
        self.servers = servers

    def schema(self, workload):
        return f"peers_{self.name}_{workload.name}"

    def table(self, workload, table):
        return f"{self.schema(workload)}.{table}"

    def home(self, workload):
        """A folder for what it is told and what it remembers."""
        folder = HOME / f"peers/{self.name}-{workload.name}"
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def source_url(self, workload):
        return self.servers.url(self.source_server, workload.database)

    def warehouse_url(self):
        return self.servers.url("warehouse", self.database)

    def cannot(self, workload):
        """Why it cannot do this at all, or nothing."""

    def prepare(self, workload):
        """Takes away what an earlier bench left."""
        self.servers.ask("warehouse", self.database, "SET client_min_messages = error", f"DROP SCHEMA IF EXISTS {self.schema(workload)} CASCADE")

    def command(self, workload, is_first):
        """Command and environment of one load; the first one of a load of new rows brings all."""
        raise NotImplementedError

    def version(self):
        """What it calls itself."""
        return ""

    def staged_bytes(self, workload):
        """What the load left in a stage."""
        return None
