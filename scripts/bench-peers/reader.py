"""A report that reads one table of the warehouse all the time, while it is loaded."""

import subprocess
import threading
import time

# Seconds between two looks, and between two counts of all rows.
BETWEEN, COUNT_EVERY = 0.02, 1.0
# A look that waits for a lock as long gives up and is made again, so that a busy machine is not taken for a lock.
LOCK_TIMEOUT = "250ms"
END = "-- seen --"


class Reader(threading.Thread):
    """Looks whether the table has a row, and now and then how many; `allowed` are the counts that a whole table has."""

    def __init__(self, servers, database, table, count, allowed):
        super().__init__(daemon=True)
        self.table, self.count, self.allowed, self.ended = table, count, set(allowed), threading.Event()
        self.looks, self.seconds, self.worst, self.counts, self.errors = 0, {}, {}, set(), set()
        self.psql = subprocess.Popen(
            [servers.psql, "-X", "-q", "-At", "-d", servers.url("warehouse", database, True)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )

    def look(self, statement):
        """One answer, and how long it took."""
        started = time.monotonic()
        self.psql.stdin.write(f"{statement};\n\\echo '{END}'\n")
        self.psql.stdin.flush()
        lines = []
        for line in self.psql.stdout:
            if line.strip() == END:
                break
            lines.append(line.strip())
        return " ".join(lines), time.monotonic() - started

    def judge(self, answer, is_count):
        """What a reader would call it."""
        if "lock timeout" in answer:
            return "blocked"
        if "does not exist" in answer:
            return "missing"
        if "ERROR" in answer or "FATAL" in answer:
            self.errors.add(answer[:200])
            return "error"
        if answer in ("f", "0"):
            return "empty"
        if is_count and answer not in self.allowed:
            self.counts.add(answer)
            return "partial"
        return "whole"

    def run(self):
        self.look(f"SET lock_timeout = '{LOCK_TIMEOUT}'")
        state, since, counted = "whole", time.monotonic(), 0.0
        while not self.ended.is_set():
            is_count = time.monotonic() - counted >= COUNT_EVERY
            answer, took = self.look(self.count if is_count else f"SELECT EXISTS (SELECT FROM {self.table})")
            now = time.monotonic()
            counted = now if is_count else counted
            self.looks += 1
            found = self.judge(answer, is_count)
            # That the table has a row does not say that it has all of them again.
            if state == "partial" and found == "whole" and not is_count:
                found = "partial"
            if found != state:
                if state != "whole":
                    self.add(state, now - since)
                # A blocked look began to wait when it was made; what another saw is so at its end.
                state, since = found, now - took if found == "blocked" else now
            self.ended.wait(BETWEEN)
        if state != "whole":
            self.add(state, time.monotonic() - since)

    def add(self, what, seconds):
        self.seconds[what] = self.seconds.get(what, 0) + seconds
        self.worst[what] = max(self.worst.get(what, 0), seconds)

    def stop(self):
        """What was seen: seconds by kind, altogether and the longest at once."""
        self.ended.set()
        self.join()
        self.psql.stdin.close()
        self.psql.wait()
        return {
            "looks": self.looks,
            "seconds": {what: round(seconds, 2) for what, seconds in self.seconds.items()},
            "longest_seconds": {what: round(seconds, 2) for what, seconds in self.worst.items()},
            "counts": sorted(self.counts)[:5],
            "errors": sorted(self.errors)[:3],
        }
