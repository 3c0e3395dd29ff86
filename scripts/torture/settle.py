"""The end of a round: nothing goes wrong any more, all comes to rest, and what is there is held against what should be."""

import json
import time

from surroundings import Wrong, wait_for
from tables import VALUE, literal

LEDGER_TWICE = """SELECT table_name || ': ' || count(*) || ' loads follow ' || coalesce(previous, 'nothing') FROM barncat.loads
    GROUP BY table_schema, table_name, previous HAVING count(*) > 1"""
HEADS = """SELECT l.table_name || ': ' || count(*) || ' heads' FROM barncat.loads l WHERE NOT EXISTS (SELECT FROM barncat.loads n
    WHERE n.table_schema = l.table_schema AND n.table_name = l.table_name AND n.previous = l.load) GROUP BY l.table_schema, l.table_name HAVING count(*) <> 1"""
UNFOLLOWED = """SELECT l.table_name || ': load ' || l.load || ' follows ' || l.previous || ', which is not there' FROM barncat.loads l
    WHERE l.previous IS NOT NULL AND NOT EXISTS (SELECT FROM barncat.loads p WHERE p.load = l.previous)"""
STAGING = """SELECT string_agg(relname, ', ') FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace WHERE nspname = 'barncat_staging' AND relkind = 'r'"""
SESSIONS = "SELECT string_agg(application_name, ', ') FROM pg_stat_activity WHERE usename LIKE 'barncat%' AND backend_type = 'client backend'"
UNENDED = """SELECT string_agg(what, ', ') FROM (
    SELECT 'run ' || run AS what FROM barncat_control.runs WHERE ended_at IS NULL
    UNION ALL SELECT 'task ' || task || ' of ' || run FROM barncat_control.tasks WHERE ended_at IS NULL
    UNION ALL SELECT 'attempt at ' || task || ' of ' || run FROM barncat_control.attempts WHERE ended_at IS NULL
    UNION ALL SELECT 'lock ' || name FROM barncat_control.locks WHERE session IS NOT NULL) u"""
ATTEMPTED_TWICE = "SELECT load || ': ' || count(*) || ' attempts' FROM barncat_control.attempts WHERE load IS NOT NULL GROUP BY load HAVING count(*) > 1"
TICKS_TWICE = """SELECT schedule || ' ' || tick || ': ' || count(*) || ' runs came to an end' FROM barncat_control.runs
    WHERE schedule IS NOT NULL AND status NOT IN ('crashed', 'cancelled')
    AND (resumes IS NULL OR started_by LIKE 'service@%') GROUP BY schedule, tick HAVING count(*) > 1"""
RESUMED_TWICE = "SELECT resumes || ': ' || count(*) || ' runs go on with it' FROM barncat_control.runs WHERE resumes IS NOT NULL AND schedule IS NOT NULL GROUP BY resumes HAVING count(*) > 1"
FAILED_CHECKS = """SELECT DISTINCT task || ', ' || check_name || ' (' || status || '): ' || message FROM barncat_control.check_results
    WHERE status <> 'passed' AND coalesce(rows, 0) > 0 AND check_name NOT LIKE 'anomal%' LIMIT 5"""
# What the control database says of loads that the ledger has, and the other way round.
PUBLISHED = """SELECT a.load, a.task FROM barncat_control.attempts a JOIN barncat_control.tasks t USING (run, task)
    WHERE a.status = 'succeeded' AND a.load IS NOT NULL AND t.kind IN ('load', 'model')"""


class Settling:
    def __init__(self, world, reader, states):
        self.world, self.history, self.reader, self.states = world, world.history, reader, states

    def wrong(self, invariant, what):
        self.history.violation(invariant, what)

    def come_to_rest(self):
        """The data change no more; what was held is released; a run brings all of it up to date."""
        world = self.world
        world.end_services()
        for server in ("primary", "standby", "warehouse", "control"):
            world.servers.run("start", server)
        world.servers.run("catch-up", "standby")
        for hold in (world.servers.must("control", "SELECT string_agg(task, ' ') FROM barncat_control.holds") or "").split():
            self.command("release", hold)
        # What refused a change of its schema, or found too much gone, waits for a person: who says so.
        self.run_all("run")
        if any(table.kind == "late_id" for table in world.project.tables):
            # Its first comparison of keys comes when its overlap has passed.
            time.sleep(21)
            self.run_all("run")
        self.run_all("run", "kind:model")

    def run_all(self, *arguments):
        """It may meet what others left, and must come to its end all the same: now nothing goes wrong any more."""
        status, text, said = self.command(*arguments)
        if status == 0:
            tasks = json.loads(text).get("tasks", [])
            bad = [task for task in tasks if task["status"] not in ("succeeded", "unchanged")]
            if not bad:
                return
            said = "; ".join(f"{task['task']} is {task['status']}: {(task.get('error') or {}).get('message')}" for task in bad)
        self.wrong("a run recovers by itself", f"{' '.join(arguments)} ended with {status} although nothing is wrong any more: {said[-600:]}")

    def command(self, *arguments):
        process, out, log = self.world.popen(arguments[0], [*arguments, "--output", "json"])
        status = process.wait(240)
        return status, out.read_text(errors="replace"), log.read_text(errors="replace")

    def compare(self):
        """All tables with the source; verify must say the same."""
        servers, is_equal = self.world.servers, True
        for table in self.world.project.tables:
            here = servers.must("primary", f"SELECT count(*) || ' ' || coalesce(sum({table.row_hash(True)}), 0) FROM {table.place} t{table.condition()}")
            seen = self.reader.look_at(table)
            there = seen and f"{seen['rows']} {seen['digest']}"
            if here != there:
                is_equal = False
                self.wrong("no row is lost or doubled", f"{table.name} ({table.settings}): {there} is in the warehouse, {here} in the source")
            if table in self.world.project.modelled:
                answer = servers.must("warehouse", f"SELECT rows || ' ' || digest FROM raw.m_{table.name}")
                if answer != there:
                    self.wrong("models are made of what is there", f"m_{table.name} says {answer}, its table {there}")
        append = next(table for table in self.world.project.tables if table.kind == "append")
        for model, sql in (("m_grows", "count(*)"), ("m_view", "max(rows)")):
            counts = servers.must("warehouse", f"SELECT (SELECT {sql} FROM raw.{model}) || ' ' || (SELECT count(*) FROM raw.{append.name})").split()
            if counts[0] != counts[1]:
                self.wrong("models are made of what is there", f"{model} has {counts[0]} rows, its table {counts[1]}")
        status, text, said = self.command("verify")
        if (status == 0) != is_equal:
            found = [task for task in (json.loads(text) if text else {}).get("tasks", []) if task["status"] == "failed"]
            self.wrong("verify is right", f"it ended with {status}, and tables are {'' if is_equal else 'not '}equal: {json.dumps(found)[:400]} {said[-300:]}")

    def look_at_ledger(self):
        servers = self.world.servers
        for server, sql, invariant in (
                ("warehouse", LEDGER_TWICE, "no double publish"), ("warehouse", HEADS, "no double publish"), ("warehouse", UNFOLLOWED, "no double publish"),
                ("control", ATTEMPTED_TWICE, "no double publish"), ("control", TICKS_TWICE, "no tick is run twice"), ("control", RESUMED_TWICE, "no tick is run twice"),
                ("control", FAILED_CHECKS, "checks find nothing in rows that are right"), ("control", UNENDED, "nothing is left under way")):
            for line in (servers.must(server, sql) or "").splitlines():
                if invariant == "no tick is run twice" and self.history.clock_jumped():
                    self.history.count("ticks that were gone on with because the control database's clock had jumped")
                else:
                    self.wrong(invariant, line)
        loads = dict(line.split("|") for line in servers.must("warehouse", "SELECT load, 'raw.' || table_name FROM barncat.loads").splitlines())
        attempts = [line.split("|") for line in servers.must("control", PUBLISHED).splitlines()]
        for load, task in attempts:
            if load not in loads:
                self.wrong("the ledger has what was published", f"the attempt at {task} with load {load} succeeded, and the ledger does not have it")
        self.history.count("loads published", len(loads))
        self.history.count("rows published", int(servers.must("warehouse", "SELECT coalesce(sum(rows), 0) FROM barncat.loads")))
        return loads

    def clean(self, loads):
        """After `clean` nothing lies about: no staging table, no object of another load, no unfinished upload, no session."""
        servers, world = self.world.servers, self.world
        for option in ([], ["--dry-run"]):
            status, text, said = self.command("clean", *option)
            if status != 0:
                return self.wrong("no orphan after clean", f"clean ended with {status}: {said[-300:]}")
        about = json.loads(text)
        if about["staging_tables"] or about["uploads"] or about["unpublished"]["objects"] or about["past_keep"]["objects"] or about["at_work"]:
            self.wrong("no orphan after clean", f"clean --dry-run says {text[:400]}")
        left = servers.must("warehouse", STAGING)
        if left:
            self.wrong("no orphan after clean", f"staging tables: {left}")
        folder = world.stage_folder()
        for path in folder.rglob("*"):
            load = path.parent.name
            if path.is_file() and path.parts[-3] == "doctor" and path.name.startswith("probe"):
                # It is no load, and nobody knows whether who wrote it lives: it goes when it is a day old.
                self.history.count("probes of a doctor that was killed, which go after a day")
            elif path.is_file() and (load not in loads or not path.name.startswith(("part-", "manifest.json"))):
                self.wrong("no orphan after clean", f"{path.relative_to(folder)} lies in the stage, and the ledger has no such load")
        uploads = [path for path in world.doubles.s3_folder.rglob("*upload*") if path.is_file() or any(path.iterdir())] if world.project.is_s3 else []
        if uploads:
            self.wrong("no orphan after clean", f"unfinished uploads: {', '.join(map(str, uploads))[:300]}")
        for server in ("standby", "warehouse", "control"):
            try:
                wait_for("no session is left", lambda server=server: not servers.must(server, SESSIONS), 10)
            except Wrong:
                self.wrong("no orphan after clean", f"sessions at the {server}: {servers.must(server, SESSIONS)}")
        return None

    def look_for_secrets(self):
        """In all that was said, in the stage, the ledger and the control database."""
        world, servers = self.world, self.world.servers
        secrets = {name: value.encode() for name, value in world.secrets().items()}
        files = [path for folder in (world.said, world.stage_folder()) for path in folder.rglob("*") if path.is_file()]
        texts = [(str(path), path.read_bytes()) for path in files]
        (world.round_folder / "tables").mkdir()
        for server, schema in (("warehouse", "barncat"), ("control", "barncat_control")):
            names = servers.must(server, f"SELECT string_agg(format('%I.%I', schemaname, tablename), ' ') FROM pg_tables WHERE schemaname = {literal(schema)}")
            for name in names.split():
                rows = servers.must(server, f"SELECT to_jsonb(t) FROM {name} t")
                texts.append((f"{server}'s {name}", rows.encode()))
                # The servers will be gone when somebody wants to know.
                (world.round_folder / "tables" / f"{name}.jsonl").write_text(rows + "\n")
        self.history.count("bytes that were searched for secrets", sum(len(data) for _, data in texts))
        for name, data in texts:
            for secret, value in secrets.items():
                if value in data:
                    self.wrong("no secret is said", f"{secret} stands in {name}")
            # Rows lie in the stage, and samples of failing ones in the control database.
            if VALUE.encode() in data and "check_results" not in name and not name.startswith(str(world.stage_folder())):
                self.wrong("no row's value is said", f"a value of a row stands in {name}")
