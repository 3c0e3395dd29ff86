"""Random traffic on the primary, as of an application: short transactions, long ones, and some that change a table's schema."""

import random as chance

from observers import Watcher
from surroundings import Wrong

# What an application meets, too, and tries again.
PASSING = ("deadlock detected", "could not serialize", "too many connections", "read-only", "starting up", "canceling statement")


class Writer(Watcher):
    """One of several that write at once."""

    def __init__(self, world, name):
        super().__init__(world)
        self.name, self.random = name, chance.Random(f"{world.seed}/{world.history.round}/{name}")

    def look(self):
        self.pause = self.random.uniform(0.05, 0.4)
        if self.random.random() < 0.25:
            sql = self.world.project.transfer(self.random)
        else:
            tables = self.world.project.tables
            table = self.random.choices(tables, [0.15 if table.kind == "large" else 1 for table in tables])[0]
            if table.strict:
                with table.shape:
                    return self.send(table.change())
            sql = table.change()
        return self.send(sql)

    def send(self, sql):
        try:
            answer = self.world.servers.ask("primary", sql)
        except Wrong as error:
            if not any(text in str(error) for text in PASSING):
                raise
            answer = None
        self.history.count("transactions on the primary" if answer is not None else "transactions that failed on the primary")
