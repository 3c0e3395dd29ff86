"""What the service has of memory, files and connections, second by second."""

import os
import statistics
import threading
import time

from surroundings import Wrong

# More than this at the end, in comparison with the beginning, is a leak: a share, and what is always there. Pools may be fuller
# than they were, and grow no further.
MORE = {"memory": (0.10, 8e6), "files": (0.0, 5), "threads": (0.0, 8), "connections": (0.0, 4), "loads": (0.0, 2)}

# What comes and goes with each run is measured while nothing runs.
AT_REST = ("files", "threads", "connections", "loads")

CONNECTIONS = "SELECT count(*) FROM pg_stat_activity WHERE usename LIKE 'barncat%' AND backend_type = 'client backend'"


class Sampler(threading.Thread):
    """Looks at the service that was started last."""

    def __init__(self, world):
        super().__init__(daemon=True)
        self.world, self.samples, self.ended = world, [], threading.Event()

    def run(self):
        while not self.ended.wait(1.0):
            sample = self.look()
            if sample:
                self.samples.append(sample)

    def look(self):
        try:
            pid = self.world.service.process.pid
            status = dict(line.split(":", 1) for line in open(f"/proc/{pid}/status"))
            sample = {
                "at": time.monotonic(), "pid": pid,
                "memory": int(status["VmRSS"].split()[0]) * 1024, "threads": int(status["Threads"]),
                "files": len(os.listdir(f"/proc/{pid}/fd")),
            }
            # Loads of new rows stay for as long as the whole one that they stand on; of a table that comes whole few loads stay.
            sample["loads"] = len(os.listdir(self.world.stage / "soak/production/raw.accounts"))
            return sample
        except (OSError, KeyError, IndexError, Wrong):
            # It is just being replaced.
            return None

    def look_at_rest(self, times):
        """So often, connections too, while nothing runs."""
        for _ in range(times):
            sample = self.look()
            if sample is None:
                raise Wrong("the service that should be at rest is not there")
            asked = [self.world.servers.must(server, CONNECTIONS) for server in ("standby", "warehouse", "control")]
            self.samples.append(sample | {"connections": sum(map(int, asked))})
            time.sleep(0.5)

    def median(self, what, begun, end):
        values = [sample[what] for sample in self.samples if begun <= sample["at"] <= end and what in sample]
        if len(values) < 3:
            raise Wrong(f"{what} was measured {len(values)} times in {end - begun:.0f} s: too few to tell")
        return statistics.median(values)


def compare(sampler, early, late):
    """Medians of two windows of one process, and of two at rest: figures, and what grew."""
    figures, wrong = {}, []
    for what, (share, always) in MORE.items():
        is_at_rest = what in AT_REST
        first, last = (sampler.median(what, *windows[is_at_rest]) for windows in (early, late))
        unit = (lambda value: f"{value:g}") if is_at_rest else (lambda value: f"{value / 1e6:.1f} MB")
        name = {"loads": "loads of a whole table in the stage"}.get(what, what)
        figures[f"{name}{' at rest' if is_at_rest else ''}, early and late (medians)"] = f"{unit(first)}, {unit(last)}"
        if last > first * (1 + share) + always:
            wrong.append(f"{what} grew from {unit(first)} to {unit(last)}: a leak")
    return figures, wrong
