"""barncat by hand, at random, beside the services; and whether its exit status is honest."""

import json
import random as chance
import signal
import subprocess
import time
from pathlib import Path

from observers import Watcher
from surroundings import Wrong

# How often each is done.
KINDS = {"run all": 6, "run some": 4, "run whole": 2, "run models": 1, "resume": 1, "failed": 1, "backfill": 3, "restore": 2, "verify": 2, "hold": 2, "clean": 2,
         "look around": 3, "kill at a point": 6, "stop at a point": 1}

# What they end with, if nobody ended them.
STATUSES = {0, 1, 2, 3, 130, 143}

# Longer than any of them may take with all that is done to it.
LONGEST = 150

# Where a crash is worst comes oftener.
WORST = ("publish.", "staging.", "stage.manifest", "adopt.", "tidy.", "stage.delete", "control.finish")


def judge(arguments, status, outcome, said):
    """What is wrong with an exit status; `None`: nothing."""
    if status < 0:
        return None
    if status not in STATUSES:
        return f"it ended with {status}"
    if "panicked at" in said or "bug in barncat" in said or '"class":"bug"' in said.replace(" ", ""):
        return "it says that barncat itself is wrong"
    if not isinstance(outcome, dict) or "status" not in outcome or "tasks" not in outcome:
        return None
    tasks, ended = outcome["tasks"], outcome["status"]
    critical = [task for task in tasks if task["tier"] == "critical"]
    bad = [task for task in (critical or tasks) if task["status"] not in ("succeeded", "unchanged", "skipped", "held")]
    all_held = bool(tasks) and all(task["status"] == "held" for task in tasks)
    if any((task.get("error") or {}).get("class") == "bug" for task in tasks):
        return "a task says that barncat itself is wrong"
    if status == 0 and ended not in ("succeeded", "degraded"):
        return f"it ended with 0 and says `{ended}`"
    if status == 0 and arguments[0] == "run" and bad:
        return f"it ended with 0, and {bad[0]['task']} is {bad[0]['status']}"
    if status == 3 and not all_held:
        return "it ended with 3, and not all is held"
    if status == 1 and ended == "succeeded":
        return "it ended with 1 and says `succeeded`"
    if status in (130, 143) and ended != "cancelled":
        # The signal came when all was done.
        return None if ended in ("succeeded", "degraded", "failed") else f"it ended with {status} and says `{ended}`"
    return None


class Actor(Watcher):
    """Does one after the other; several of them are several people and crontabs."""

    def __init__(self, world, name):
        super().__init__(world)
        self.name, self.random = name, chance.Random(f"{world.seed}/{world.history.round}/{name}")

    def look(self):
        kind = self.random.choices(list(KINDS), list(KINDS.values()))[0]
        self.pause = self.random.uniform(0.2, 2)
        try:
            getattr(self, kind.replace(" ", "_"))()
            self.history.count(f"by hand: {kind}")
        except Wrong as error:
            self.history.write(not_done=kind, why=str(error)[:300])

    def table(self, exact=False):
        return self.random.choice([table for table in self.world.project.tables if table.exact or not exact])

    def do(self, *arguments, points=None, may_be_ended=True):
        """Runs it to its end, or to that which is made for it. Returns its status and what it printed."""
        process, out, log = self.world.popen(arguments[0], [*arguments, "--output", "json"], points)
        ending = self.random.choice([None, None, None, signal.SIGTERM, signal.SIGINT, signal.SIGKILL]) if may_be_ended else None
        after, begun = self.random.uniform(0, 4), time.monotonic()
        fault = None
        while process.poll() is None:
            seconds = time.monotonic() - begun
            if ending and seconds > after:
                fault = self.history.begin(f"{ending.name} by hand", f"{log.name}: {' '.join(arguments)}")
                process.send_signal(ending)
                ending = None
            if points and points.endswith("=stop") and self.stands_still(process):
                self.ended.wait(after * 5)
                process.send_signal(signal.SIGCONT)
            if seconds > LONGEST:
                self.history.violation("every command ends", f"{' '.join(arguments)} ({log.name}) does not, after {LONGEST} s")
                process.kill()
                process.wait()
            try:
                process.wait(0.1)
            except subprocess.TimeoutExpired:
                pass
        if fault:
            self.history.end(fault)
        return self.look_at_end(arguments, process.returncode, out, log)

    def stands_still(self, process):
        try:
            return Path(f"/proc/{process.pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "T"
        except (OSError, IndexError):
            return False

    def look_at_end(self, arguments, status, out, log):
        text = out.read_text(errors="replace")
        try:
            outcome = json.loads(text) if text.strip() else None
        except ValueError:
            outcome = None
            if status >= 0:
                self.history.violation("stdout is JSON", f"{' '.join(arguments)} ({out.name}): {text[:200]}")
        wrong = judge(arguments, status, outcome, text + log.read_text(errors="replace"))
        if wrong:
            self.history.violation("exit status is honest", f"{' '.join(arguments)} ({log.name}): {wrong}")
        self.history.count(f"commands that ended with {status}")
        return status, outcome

    # ---- what they do ------------------------------------------------------------------------------

    def run_all(self):
        self.do("run")

    def run_some(self):
        names = self.random.sample([table.name for table in self.world.project.tables], 2)
        self.do("run", *names)

    def run_whole(self):
        self.do("run", "--full", self.table().name)

    def run_models(self):
        self.do("run", "kind:model")

    def resume(self):
        self.do("run", "--resume")

    def failed(self):
        self.do("run", "--failed")

    def backfill(self):
        tables = [table for table in self.world.project.tables if table.cursor]
        table = self.random.choice(tables)
        self.world.backfilled_tables.add(table.name)
        options = self.random.choice([["--resume"], ["--restart", "--chunk", "50"], ["--restart", "--chunk", "500", "--delete"]])
        if table.deletes == "ignore" and "--delete" in options:
            options.remove("--delete")
        self.do("backfill", table.name, *options)

    def restore(self):
        """An earlier state, and after a while the newest again."""
        name = self.table(exact=True).name
        loads = self.world.servers.ask("warehouse", f"SELECT load FROM barncat.loads WHERE table_name = '{name}' ORDER BY load DESC OFFSET 1 LIMIT 3")
        if not loads:
            return
        self.do("restore", name, "--load", self.random.choice(loads.split()), "--yes")
        self.ended.wait(2)
        self.do("release", name, may_be_ended=False)

    def verify(self):
        """A table that is compared with the source after a load of its own must equal it."""
        table = self.table(exact=True)
        _, outcome = self.do("verify", table.name)
        for task in (outcome or {}).get("tasks", []):
            found = task.get("verification")
            if found and table.strict and not found["equal"]:
                self.history.violation("verify finds nothing", f"{table.name}: {json.dumps(found)[:300]}")

    def hold(self):
        name = self.table().name
        self.do("hold", name, "--for", "30s", "--reason", "torture", may_be_ended=False)
        self.ended.wait(2)
        self.do("release", name, may_be_ended=False)

    def clean(self):
        self.do("clean", *self.random.choice([[], ["--dry-run"], ["--removed", "--yes"]]))

    def look_around(self):
        commands = (["status"], ["history"], ["plan"], ["check"], ["why", self.table().name], ["graph"], ["schedules"], ["incidents"], ["doctor"])
        self.do(*self.random.choice(commands))

    def kill_at_a_point(self):
        """The process dies just there."""
        points = self.world.points
        if not points:
            return self.run_all()
        worst = [point for point in points if point.startswith(WORST)]
        point = self.random.choice(worst if worst and self.random.random() < 0.6 else points)
        fault = self.history.begin("kill at a point", point)
        arguments = self.random.choice([["run"], ["run"], ["run", "--full"], ["backfill", self.backfilled(), "--restart", "--chunk", "100"]])
        status, _ = self.do(*arguments, points=f"{point}=kill", may_be_ended=False)
        self.history.end(fault, "killed" if status == -9 else f"ended with {status}")
        return self.history.count("killed at a point", status == -9)

    def backfilled(self):
        table = self.random.choice([table for table in self.world.project.tables if table.cursor])
        self.world.backfilled_tables.add(table.name)
        return table.name

    def stop_at_a_point(self):
        """It stands still just there, holding what it holds, and goes on after a while."""
        points = [point for point in self.world.points if point.startswith(("publish.", "staging.", "control."))]
        if not points:
            return self.run_all()
        point = self.random.choice(points)
        fault = self.history.begin("stop at a point", point)
        status, _ = self.do("run", points=f"{point}=stop", may_be_ended=False)
        return self.history.end(fault, f"ended with {status}")
