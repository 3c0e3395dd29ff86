"""Whether every tick is accounted for: run exactly once, or said to be skipped or passed over, and why that was so."""

import json
from collections import Counter

from world import EVERY

# A fault is felt for a while after it is over: what was tried meanwhile is tried again after a pause.
FELT = 30

LAST_WORDS = 20

TICKS = """SELECT json_agg(t ORDER BY t.at) FROM (
    SELECT extract(epoch FROM tick)::float8 AS at, extract(epoch FROM begun_at)::float8 AS begun, run, status, why, passed_over,
        ended_at IS NOT NULL AS ended FROM barncat_control.ticks WHERE schedule = 'soak') t"""
RUNS = """SELECT json_agg(r ORDER BY r.started) FROM (
    SELECT run, status, resumes, extract(epoch FROM tick)::float8 AS at, extract(epoch FROM started_at)::float8 AS started,
        extract(epoch FROM ended_at)::float8 AS ended FROM barncat_control.runs WHERE schedule IS NOT NULL) r"""


def real_time(clock, shown):
    """When a clock that steps showed a moment first, by the machine's clock: before its last step it may have shown it, too."""
    for (begun, ahead), (end, _) in zip(clock.steps, clock.steps[1:] + [(float("inf"), 0)]):
        if begun <= shown - ahead < end:
            return shown - ahead
    return None


class Accounts:
    """Ticks, runs and marks, and what is wrong with them."""

    def __init__(self, world, faults):
        self.ticks = json.loads(world.servers.must("control", TICKS) or "[]")
        self.runs = json.loads(world.servers.must("control", RUNS) or "[]")
        marks = world.project / "marks"
        self.marks = Counter(marks.read_text().split() if marks.exists() else [])
        self.clock, self.faults = world.servers.clock, faults
        self.since = [float(world.servers.must("control", f"SELECT extract(epoch FROM '{since}'::timestamptz)::float8")) for since in world.pauses]
        self.runs_of = {}
        for run in self.runs:
            self.runs_of.setdefault(run["at"], []).append(run)
        self.wrong = []

    def say(self, tick, what):
        self.wrong.append(f"tick {tick['at']:.0f} ({tick['status']}): {what}")

    def is_explained(self, begun, end):
        """Whether something was done to the service or its servers in that time."""
        return any(fault.begun < end and begun < (fault.ended or end) + FELT for fault in self.faults)

    def look(self):
        self.look_for_gaps()
        for tick in self.ticks:
            self.look_at(tick)
        known = {tick["at"] for tick in self.ticks}
        self.wrong += [f"run {run['run']} is of no tick" for run in self.runs if run["at"] not in known]
        resumed = Counter(run["resumes"] for run in self.runs if run["resumes"])
        self.wrong += [f"run {run} was gone on with {times} times" for run, times in resumed.items() if times > 1]
        runs = {run["run"] for run in self.runs}
        self.wrong += [f"a task was run of {run}, which is no tick's run" for run in self.marks if run not in runs]
        self.wrong += [f"a task was run {times} times in run {run}" for run, times in self.marks.items() if times > 1]
        return self.wrong

    def look_for_gaps(self):
        """From one tick to the next all that lie between are counted; what was before a pause ended is nobody's."""
        before = self.ticks[0]
        for tick in self.ticks[1:]:
            base = max([before["at"]] + [since for since in self.since if since <= tick["at"]])
            # The first multiple after it, up to the one before this tick.
            between = round((tick["at"] - (base - base % EVERY)) / EVERY) - 1
            if tick["passed_over"] != between:
                self.say(tick, f"{between} ticks lie between it and {base:.0f}, and {tick['passed_over']} are counted")
            if tick["passed_over"]:
                begun, end = real_time(self.clock, before["begun"]), real_time(self.clock, tick["begun"])
                if begun is None or end is None:
                    self.say(tick, "it began at a time that the clock never showed")
                elif not self.is_explained(begun, end):
                    self.say(tick, f"{tick['passed_over']} were passed over while nothing was wrong")
            before = tick

    def look_at(self, tick):
        runs, status = self.runs_of.get(tick["at"], []), tick["status"]
        if not tick["ended"]:
            return self.say(tick, "it has not ended")
        if status == "skipped":
            return self.look_at_skipped(tick, runs)
        if status in ("missed", "given_up"):
            return self.say(tick, f"it was not run: {tick['why']}")
        if status in ("failed", "degraded"):
            at = real_time(self.clock, tick["begun"])
            if at is None or not self.is_explained(at, at + 60):
                self.say(tick, f"it did not go well while nothing was wrong: {tick['why']}")
            if not runs and (tick["why"] or "").startswith("it could not begin"):
                return None
        beginnings = [run for run in runs if run["resumes"] is None]
        ends = [run for run in runs if run["status"] == status]
        others = [run["status"] for run in runs if run["status"] != status and run["status"] not in ("crashed", "cancelled")]
        if len(beginnings) != 1 or len(ends) != 1 or others:
            return self.say(tick, f"{len(beginnings)} beginnings and {len(ends)} ends: {runs}")
        if status == "succeeded" and not any(self.marks[run["run"]] for run in runs):
            self.say(tick, "its tasks were not run")
        return None

    def look_at_skipped(self, tick, runs):
        if runs:
            self.say(tick, f"it was skipped, and run: {runs}")
        why = tick["why"] or ""
        if "had not begun yet" in why:
            return
        run = next((run for run in self.runs if why.endswith(run["run"])), None)
        if run is None:
            self.say(tick, f"no run is named that was under way: {why}")
            return
        of_tick = self.runs_of[run["at"]]
        begun, ended = of_tick[0]["started"], max(run["ended"] for run in of_tick)
        # Its last words (hooks, alerts) come after its end.
        at, end = real_time(self.clock, tick["begun"]), real_time(self.clock, ended)
        if not begun <= tick["begun"] <= ended + LAST_WORDS and (at is None or end is None or at > end + LAST_WORDS):
            self.say(tick, f"the run that was under way was not: {why}")

    def figures(self):
        """How many of each."""
        of = Counter(tick["status"] for tick in self.ticks)
        chains = sum(1 for runs in self.runs_of.values() if len(runs) > 1)
        return {
            "ticks, each a row": len(self.ticks), **{f"  {status}": count for status, count in sorted(of.items())},
            "ticks passed over, and counted": sum(tick["passed_over"] for tick in self.ticks[1:]),
            "runs of ticks": len(self.runs), "ticks whose run was interrupted and gone on with": chains,
            "marks that tasks left": sum(self.marks.values()),
        }
