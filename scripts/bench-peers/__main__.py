"""Rounds of barncat, the pipe and its peers side by side; scripts/bench-peers.sh says what chooses less."""

import json
import os
import re
import subprocess
import sys

import report
import workloads
from compare import compare
from measure import Failed, run
from reader import Reader
from ways import ALL
from world import HOME, Servers, Wrong

# A peer that took longer is measured once and watched once.
SLOW_SECONDS = 300


def say(text):
    print(text, file=sys.stderr, flush=True)


class Bench:
    def __init__(self):
        self.servers = Servers()
        self.rows, self.runs = int(os.environ.get("ROWS", 5_000_000)), int(os.environ.get("RUNS", 3))
        self.patience = float(os.environ.get("PATIENCE", 1800))
        names = re.split(r"[\s,]+", os.environ.get("PEERS", "").strip() or " ".join(ALL))
        unknown = [name for name in names if name not in ALL]
        if unknown:
            raise SystemExit(f"error: there is no peer {', '.join(unknown)}\nhint: any of {', '.join(ALL)}")
        self.ways = [ALL[name](self.servers) for name in names]
        self.workloads = workloads.chosen(os.environ.get("WORKLOADS", ""))

    def once(self, way, workload, is_first=False):
        """One load, and whether it brought all rows."""
        command, env = way.command(workload, is_first)
        figures = run(f"{way.name}-{workload.name}", command, env, self.servers, self.patience)
        figures["staged_bytes"] = way.staged_bytes(workload)
        # The count is of what the source has now, which nobody else writes to.
        expected = self.counts("standby", workload.database, {table: table for table in workload.tables}, workload)
        try:
            found = self.counts("warehouse", way.database, {table: way.table(workload, table) for table in workload.tables}, workload)
        except Wrong as error:
            raise Failed(f"its tables cannot be counted: {error}") from None
        wrong = [table for table in workload.tables if found[table] != expected[table]]
        figures["wrong_counts"] = {table: [expected[table], found[table]] for table in wrong[:3]}
        return figures

    def counts(self, server, database, tables, workload):
        statements = [workload.count(place) for place in tables.values()]
        answers = self.servers.ask(server, database, *statements).splitlines()
        return dict(zip(tables, answers, strict=True))

    def watched(self, way, workload, before):
        """One more load, not timed, while a report reads; then every value is held against the source."""
        table = way.table(workload, workload.first)
        after = self.counts("standby", workload.database, {workload.first: workload.first}, workload)[workload.first]
        # Before a load of new rows none of them is there.
        old = f"{before} 0" if workload.cursor else before
        reader = Reader(self.servers, way.database, table, workload.count(table), {old, after})
        reader.start()
        try:
            self.once(way, workload)
        finally:
            seen = reader.stop()
        found = [compare(self.servers, ("standby", workload.database, name), ("warehouse", way.database, way.table(workload, name)))
                 for name in (workload.tables if len(workload.tables) == 1 else workload.tables[::20])]
        return {"readers": seen, "is_equal": all(one["is_equal"] for one in found),
                "altered": sorted({words for one in found for words in one["altered"]}),
                "lost": sorted({words for one in found for words in one["lost"]}), "tables_compared": len(found)}

    def workload(self, workload):
        say(f"{workload.name}: making it")
        workload.make(self.servers, self.rows)
        results, living = {}, []
        for way in self.ways:
            results[way.name] = {"runs": [], "error": None, "cannot": way.cannot(workload)}
            if not results[way.name]["cannot"]:
                self.guarded(results, living, way, workload, lambda way=way: (way.prepare(workload), self.initial(way, workload)), True)
        for number in range(1, self.runs + 2):
            before = self.servers.ask("standby", workload.database, f"SELECT count(*) FROM {workload.first}")
            workload.change(self.servers)
            is_watched = number > self.runs
            say(f"{workload.name}, {'watched' if is_watched else f'round {number} of {self.runs}'}")
            # Each is first in turn.
            for way in living[number % len(living):] + living[:number % len(living)] if living else []:
                self.guarded(results, living, way, workload, lambda way=way: self.turn(results[way.name], way, workload, is_watched, before), False)
        return results

    def guarded(self, results, living, way, workload, act, is_new):
        """What fails is told with its reason, and is not tried again in this workload."""
        try:
            act()
            if is_new:
                living.append(way)
        except (Failed, Wrong) as error:
            results[way.name]["error"] = str(error)
            say(f"  {way.name} failed: {error}")
            if way in living:
                living.remove(way)

    def initial(self, way, workload):
        """What a load of new rows stands upon; the others begin with nothing."""
        if workload.cursor:
            self.once(way, workload, True)

    def turn(self, result, way, workload, is_watched, before):
        # A load of new rows that is left out would have the next one bring more.
        is_slow = result["runs"] and result["runs"][0]["wall_seconds"] > SLOW_SECONDS and not workload.cursor
        if is_slow and not is_watched:
            return
        self.servers.settle()
        if is_watched:
            result |= self.watched(way, workload, before)
            return
        figures = self.once(way, workload)
        result["runs"].append(figures)
        say(f"  {way.name:10} {figures['wall_seconds']:8.2f} s, CPU s: client {figures['client_cpu_seconds']}, source {figures['source_cpu_seconds']}, "
            f"warehouse {figures['warehouse_cpu_seconds']}; {figures['peak_memory_bytes'] / 1e6:.0f} MB")

    def all(self):
        versions = {way.name: way.version() for way in self.ways}
        found = {"orders": self.rows, "runs": self.runs, "durability": "fsync off, full_page_writes on, synchronous_commit on: the same for all",
                 "versions": versions, "how": {way.name: way.how for way in self.ways}, "workloads": {}}
        for workload in self.workloads:
            results = self.workload(workload)
            found["workloads"][workload.name] = {"title": workload.title, "rows": workload.rows, "tables": len(workload.tables), "ways": results}
            # A bench of hours that ends half-way has said something.
            (HOME / "peers.json").write_text(json.dumps(found, indent=2, ensure_ascii=False))
        return found


def main():
    found = report.medians(Bench().all())
    (HOME / "peers.json").write_text(json.dumps(found, indent=2, ensure_ascii=False))
    (HOME / "peers.md").write_text(report.markdown(found))
    print(json.dumps(found, indent=2, ensure_ascii=False))
    say(report.markdown(found))


if __name__ == "__main__":
    try:
        main()
    except (Wrong, subprocess.CalledProcessError) as error:
        sys.exit(f"error: {error}")
