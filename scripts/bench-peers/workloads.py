"""What is copied: tables of the source, how large, and what happens to them between two loads."""

import re
import time
from dataclasses import dataclass, field


@dataclass
class Workload:
    """`share` is its rows beside those of `orders`; `cursor` makes it a load of new rows."""

    name: str
    title: str
    file: str
    share: float
    tables: list
    touch: str
    cursor: str = ""
    variables: dict = field(default_factory=dict)
    rows: int = 0
    moment: str = "infinity"

    @property
    def database(self):
        return f"peers_{self.name}"

    @property
    def first(self):
        """The table that a reader looks at."""
        return self.tables[len(self.tables) // 2]

    def make(self, servers, orders):
        """Its rows, unless they are there; their number follows from that of `orders`."""
        self.rows, self.moment = max(int(orders * self.share), 10), "infinity"
        about = f"{self.rows} {self.variables}"
        if not servers.ask("primary", "postgres", f"SELECT 1 FROM pg_database WHERE datname = '{self.database}'"):
            servers.ask("primary", "postgres", f"CREATE DATABASE {self.database}")
        comment = "SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = current_database()"
        if servers.ask("primary", self.database, comment) != about or self.cursor:
            servers.ask("primary", self.database, variables={"rows": self.rows, **self.variables}, file=self.file)
            servers.ask("primary", self.database, f"COMMENT ON DATABASE {self.database} IS $${about}$$")
        roles = {"role": "barncat_source", "database": self.database, "schema": "public", "owner": "postgres"}
        servers.ask("primary", self.database, variables=roles, file="sql/roles/source.sql")
        servers.settle()
        # All start with warm caches.
        for table in self.tables:
            servers.ask("standby", self.database, f"SELECT count(*) FROM {table}")

    def change(self, servers):
        """What lies between two loads, so that none is the same as the last one."""
        self.moment = servers.ask("primary", self.database, "SELECT clock_timestamp()")
        for table in self.tables:
            servers.ask("primary", self.database, self.touch.format(table=table, rows=self.rows, moment=self.moment))
        # Past what a loader reads again, by its overlap of a second.
        time.sleep(1.5 if self.cursor else 0)
        servers.settle()

    def count(self, table):
        """The statement by which a reader, and who checks, counts a table in the warehouse."""
        recent = f" || ' ' || count(*) FILTER (WHERE {self.cursor} >= '{self.moment}')" if self.cursor else ""
        return f"SELECT count(*){recent} FROM {table}"


CHANGE = """
    UPDATE {table} SET updated_at = '{moment}', status = 'changed', total = total + 0.01 WHERE id % 100 = 7 AND id <= {rows} * 9 / 10;
    INSERT INTO {table} SELECT m.last + row_number() OVER (ORDER BY id), public_id, customer_id, restaurant_id, rider_id, status, ordered_at,
        delivered_on, total, distance_m, first_order, note, details, '{moment}'
    FROM {table}, (SELECT max(id) AS last FROM {table}) AS m WHERE id <= {rows} / 1000"""


def all_workloads():
    small = [f"small_{number:03}" for number in range(1, 201)]
    touch = "UPDATE {table} SET note = coalesce(note, '') || '.' WHERE id = 1"
    return [
        Workload("orders", "a whole table of 13 mixed columns", "sql/demo/bench-orders.sql", 1, ["orders"], touch),
        Workload("wide", "60 columns", "sql/demo/bench-wide-60.sql", 0.2, ["wide_60"], touch),
        Workload("small", "200 small tables", "sql/demo/bench-small.sql", 0.0002, small, touch, variables={"tables": len(small)}),
        Workload("documents", "mostly jsonb", "sql/demo/bench-documents.sql", 0.1, ["documents"], "UPDATE {table} SET kind = kind || '.' WHERE id = 1"),
        Workload("changing", "1 % of a table changed", "sql/demo/bench-changing.sql", 0.2, ["changing"], CHANGE, cursor="updated_at"),
    ]


def chosen(names):
    found = all_workloads()
    unknown = set(re.split(r"[\s,]+", names.strip())) - {workload.name for workload in found} if names else set()
    if unknown:
        raise SystemExit(f"error: there is no workload {', '.join(sorted(unknown))}\nhint: one of {', '.join(w.name for w in found)}")
    return [workload for workload in found if not names or workload.name in re.split(r"[\s,]+", names)]
