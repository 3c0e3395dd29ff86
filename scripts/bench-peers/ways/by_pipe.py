"""The plain binary pipe of two psqls: what can be done by hand, and the measure of all others."""

from ways.way import EACH, INSIDE, Way


class Pipe(Way):
    name = "pipe"
    how = "`psql` (COPY binary) into `psql`, key and rename in one transaction; several tables: four at once; new rows: COPY, DELETE … USING, INSERT"

    def prepare(self, workload):
        super().prepare(workload)
        self.servers.ask("warehouse", self.database, f"CREATE SCHEMA {self.schema(workload)} AUTHORIZATION barncat_warehouse")

    def command(self, workload, is_first):
        new = [workload.cursor, workload.moment] if workload.cursor and not is_first else []
        one = [INSIDE / "pipe.sh", self.servers.psql, self.source_url(workload), self.warehouse_url(), self.schema(workload)]
        if len(workload.tables) == 1:
            return [*one, workload.tables[0], *new], {}
        return [EACH, *workload.tables, "--", *one, "{}", *new], {}
