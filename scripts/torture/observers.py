"""Who looks on all the time and shares nothing with barncat: readers of the warehouse, and one of the stage."""

import hashlib
import json
import os
import subprocess
import threading
import time
from pathlib import Path

from project import PAIR, TOTAL, states_since
from surroundings import Wrong

# A publish that stands still holds others up for 15 seconds, and what a restart takes comes on top.
HELD_UP_SECONDS = 45


class States:
    """Every state that a table of the source ever had, by rows and digest: the first and the last of its numbers."""

    def __init__(self, world):
        self.world, self.last, self.known, self.lock = world, 0, {}, threading.Lock()

    def refresh(self):
        with self.lock:
            found = states_since(self.world.servers, self.last)
            for n, name, rows, digest in found or []:
                of = self.known.setdefault(name, {})
                first, _ = of.get((int(rows), digest), (int(n), 0))
                of[int(rows), digest] = (first, int(n))
                self.last = max(self.last, int(n))
            return found is not None

    def find(self, name, rows, digest):
        return self.known.get(name, {}).get((int(rows), str(digest)))


class Watcher(threading.Thread):
    """Looks again and again until it is told to end. What goes wrong in it is a fault of the torture, and told."""

    pause = 0.1

    def __init__(self, world):
        super().__init__(daemon=True)
        self.world, self.history, self.ended = world, world.history, threading.Event()

    def run(self):
        while not self.ended.wait(self.pause):
            try:
                self.look()
            except Exception as error:  # noqa: BLE001  it must not end in silence
                self.history.violation("the torture itself", f"{type(self).__name__}: {error!r}")
                self.ended.wait(5)

    def end(self):
        self.ended.set()
        self.join(90)


class Reader(Watcher):
    """Sees whole tables, each of a state that the source had; the ledger says of each what is in it."""

    def __init__(self, world, states):
        super().__init__(world)
        self.states, self.seen, self.waiting, self.turn = states, {}, [], 0
        self.model_loads, self.heads = {}, {}

    def look(self):
        tables = self.world.project.tables
        self.turn += 1
        self.look_at(tables[self.turn % len(tables)])
        if self.turn % 3 == 0:
            self.look_at_pair()
        if self.turn % 4 == 0:
            self.look_at_model(self.world.project.modelled[self.turn // 4 % len(self.world.project.modelled)])
        self.settle_waiting()

    def ask(self, what, sql):
        """One reader's question; `None` where nobody can be asked or nothing is there yet."""
        begun = time.monotonic()
        try:
            answer = self.world.servers.ask("warehouse", sql, timeout=90)
        except subprocess.TimeoutExpired:
            self.history.violation("readers are not held up", f"{what}: no answer for 90 s")
            return None
        except Wrong as error:
            if "does not exist" in str(error):
                # The server may have lost it, or it is not loaded yet.
                if what in self.seen:
                    self.history.violation("tables are never missing", f"{what}: {error}")
            elif "too many connections" not in str(error) and "starting up" not in str(error):
                self.history.violation("readers see whole tables", f"{what}: {error}")
            return None
        if time.monotonic() - begun > HELD_UP_SECONDS:
            self.history.violation("readers are not held up", f"{what}: an answer came after {time.monotonic() - begun:.0f} s")
        if answer is not None:
            self.history.count("looks of readers")
        return answer

    def look_at(self, table):
        answer = self.ask(table.name, table.look())
        if not answer:
            return None
        seen = json.loads(answer)
        before = self.seen.get(table.name)
        self.seen[table.name] = seen
        self.look_at_ledger(table, seen)
        # A range is mended to a later moment than that of the rest; such a state may be restored.
        is_mixed = seen["strategy"] == "backfill" or (seen["strategy"] == "restore" and self.world.backfilled(table))
        if table.exact and not is_mixed:
            known = self.states.find(table.name, seen["rows"], seen["digest"])
            if known:
                self.look_at_order(table, before, seen, known)
            else:
                self.waiting.append((table, before, seen, time.time()))
        return seen

    def look_at_ledger(self, table, seen):
        def wrong(invariant, what):
            self.history.violation(invariant, f"{table.name}, load {seen['load']} ({seen['strategy']} by {seen['publish']}): {what}")

        if seen["load"] is None:
            return wrong("the ledger equals the tables", "the table is there, and the ledger has no load of it")
        if seen["table_rows"] != seen["rows"]:
            wrong("the ledger equals the tables", f"{seen['rows']} rows are there, {seen['table_rows']} by the ledger")
        if seen["doubled"]:
            wrong("no row is doubled", f"{seen['doubled']} keys are there twice")
        if seen["late_rows"] and not table.may_be_late:
            wrong("what cannot be late is not", f"{seen['late_rows']} late rows of a table whose transactions come one after the other")
        if table.cursor and table.strict and seen["strategy"] in ("append", "merge"):
            # Rows that were deleted since take their cursor with them; the watermark stays where it was.
            if table.cursor != "updated_at" and table.deletes == "ignore" and str(seen["top"]) != str(seen["watermark"]):
                wrong("the watermark is the greatest cursor", f"the watermark is {seen['watermark']}, the greatest `{table.cursor}` {seen['top']}")
            if table.cursor == "updated_at" and table.deletes == "ignore" and seen["past_top"]:
                wrong("the watermark is the greatest cursor", f"the watermark {seen['watermark']} is past the greatest `{table.cursor}`, {seen['top']}")
        if seen["manifest"] and self.heads.get(table.name) != seen["load"]:
            self.heads[table.name] = seen["load"]
            self.history.count("loads that a reader met")
            self.look_for_manifest(table, seen)
        return None

    def look_for_manifest(self, table, seen):
        """Nothing is published whose manifest is not written; that of a table's newest state stays."""
        path = self.world.object(seen["manifest"])
        if path.exists():
            return
        again = self.ask(table.name, table.look())
        if again and json.loads(again)["load"] == seen["load"] and not path.exists():
            self.history.violation("no publish without a manifest", f"{table.name}: load {seen['load']} is published, and {path} is not there")

    def look_at_order(self, table, before, seen, known):
        """No older state takes the place of a newer one, unless somebody restored it."""
        was = before and self.states.find(table.name, before["rows"], before["digest"])
        if was and before["restores"] == seen["restores"] and known[1] < was[0]:
            self.history.violation("no table goes back", f"{table.name}: state {was[0]} (load {before['load']}) was followed by {known[1]} (load {seen['load']})")

    def settle_waiting(self, at_end=False):
        """What was seen may be newer than what is known of the source."""
        if not self.waiting or not self.states.refresh():
            return
        waiting, self.waiting = self.waiting, []
        for table, before, seen, at in waiting:
            known = self.states.find(table.name, seen["rows"], seen["digest"])
            if known:
                self.look_at_order(table, before, seen, known)
            elif at_end or time.time() - at > 20:
                self.history.violation("readers see a state that the source had", f"{table.name}, load {seen['load']} ({seen['strategy']} by "
                                       f"{seen['publish']}): {seen['rows']} rows with digest {seen['digest']} were never there")
            else:
                self.waiting.append((table, before, seen, at))

    def look_at_pair(self):
        answer = self.ask("pair_a", PAIR)
        if answer and answer != str(TOTAL):
            self.history.violation("tables of one snapshot match", f"pair_a and pair_b hold {answer} together, not {TOTAL}")

    def look_at_model(self, table):
        answer = self.ask(f"m_{table.name}", f"SELECT rows || ' ' || digest FROM raw.m_{table.name}")
        if answer is None:
            return
        if not answer:
            self.history.violation("tables are never empty", f"m_{table.name} has no row")
            return
        self.seen[f"m_{table.name}"] = answer
        rows, digest = answer.split()
        # A model of a table in the midst of a backfill shows that, as it should.
        if not self.states.find(table.name, rows, digest) and not self.world.backfilled(table):
            self.waiting.append((table, None, {"rows": int(rows), "digest": digest, "load": "of its model", "strategy": "model", "publish": "model",
                                               "restores": 0}, time.time()))


class StageWatcher(Watcher):
    """A manifest lies there after its parts, and says of each what it is."""

    pause = 0.3

    def __init__(self, world):
        super().__init__(world)
        self.met = {}

    def look(self):
        # A folder that goes meanwhile has nothing in it; `rglob` would fail at it.
        for folder, _, files in os.walk(self.world.stage_folder()):
            if "manifest.json" not in files:
                continue
            path = Path(folder) / "manifest.json"
            try:
                stat = path.stat()
                if path in self.met:
                    self.look_at_changes(path, self.met[path])
                    continue
                manifest = json.loads(path.read_text())
            except (OSError, ValueError) as error:
                # Deleted in between; half of one would be no JSON and stay so.
                if isinstance(error, ValueError) and path.exists():
                    self.history.violation("a manifest is whole", f"{path}: {error}")
                continue
            self.met[path] = stat.st_mtime_ns
            self.history.count("manifests that were looked at")
            self.look_at_parts(path, stat, manifest)

    def look_at_changes(self, path, written):
        """Where it lies nothing is written any more, and not it itself."""
        for other in path.parent.iterdir():
            since = other.stat().st_mtime_ns - written
            if since > 0:
                self.met[path] = float("inf")
                self.history.violation("the manifest comes last", f"{path.relative_to(self.world.stage_folder())}: {other.name} was written {since / 1e6:.1f} ms after it")

    def look_at_parts(self, path, stat, manifest):
        wrong = None
        for part in manifest["parts"]:
            key = self.world.object(part["key"])
            try:
                there, data = key.stat(), key.read_bytes()
            except OSError:
                wrong = f"{key.name} is not there"
                break
            if there.st_mtime_ns > stat.st_mtime_ns:
                wrong = f"{key.name} was written {(there.st_mtime_ns - stat.st_mtime_ns) / 1e6:.1f} ms after it"
                break
            if len(data) != part["bytes"] or hashlib.sha256(data).hexdigest() != part["sha256"]:
                wrong = f"{key.name} is not what it says"
                break
        # Of a load that is taken away the manifest goes too.
        time.sleep(0.5 if wrong else 0)
        if wrong and wrong.endswith("is not there") and path.exists() and self.history.clock_jumped():
            # It was taken for dead, and its parts were taken away, while it lived; it finds that out when it reads them.
            self.history.count("manifests without their parts, because the control database's clock had jumped")
        elif wrong and path.exists():
            self.history.violation("the manifest comes last", f"{path.relative_to(self.world.stage_folder())}: {wrong}")
