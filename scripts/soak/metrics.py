"""Whether /metrics says what the control database says, at moments when nothing happens."""

import json
import re
import time
from collections import Counter

from surroundings import Wrong, wait_for

# What ended in the last two seconds is counted the next time.
COUNTED_AFTER = 2.5

# A value for each name and labels, in the same form as /metrics has it.
SQL = """
WITH latest AS (
    SELECT DISTINCT ON (task) task, kind, tier, status, seconds FROM barncat_control.tasks
    WHERE ended_at IS NOT NULL AND kind IN ('load', 'model', 'check', 'command') ORDER BY task, started_at DESC),
shown AS (
    SELECT DISTINCT ON (task) task, tier, ended_at, rows, bytes, (outcome->>'as_of')::timestamptz AS as_of,
        (outcome->>'lag_seconds')::float8 AS lag
    FROM barncat_control.tasks WHERE status IN ('succeeded', 'unchanged') AND kind IN ('load', 'model') ORDER BY task, started_at DESC),
figures (name, labels, value) AS (
    SELECT 'runs_total', jsonb_build_object('status', status), count(*)::float8 FROM barncat_control.runs WHERE ended_at IS NOT NULL GROUP BY status
    UNION ALL SELECT 'tasks_total', jsonb_build_object('kind', kind, 'tier', tier, 'status', status), count(*) FROM barncat_control.tasks
        WHERE ended_at IS NOT NULL GROUP BY kind, tier, status
    UNION ALL SELECT 'task_seconds_total', jsonb_build_object('kind', kind), coalesce(sum(seconds), 0) FROM barncat_control.tasks WHERE ended_at IS NOT NULL GROUP BY kind
    UNION ALL SELECT 'rows_total', jsonb_build_object('kind', kind), coalesce(sum(rows), 0) FROM barncat_control.tasks WHERE status = 'succeeded' GROUP BY kind
    UNION ALL SELECT 'staged_bytes_total', jsonb_build_object('kind', kind), coalesce(sum(bytes), 0) FROM barncat_control.tasks WHERE status = 'succeeded' GROUP BY kind
    UNION ALL SELECT 'runs_running', '{}', count(*) FROM barncat_control.runs WHERE ended_at IS NULL
    UNION ALL SELECT 'tasks_running', '{}', count(*) FROM barncat_control.tasks WHERE ended_at IS NULL
    UNION ALL SELECT 'task_state', jsonb_build_object('kind', kind, 'tier', tier, 'status', status), count(*) FROM latest GROUP BY kind, tier, status
    UNION ALL SELECT 'task_last_seconds', jsonb_build_object('task', task), seconds FROM latest WHERE seconds IS NOT NULL
    UNION ALL SELECT 'table_published_timestamp_seconds', jsonb_build_object('table', task, 'tier', tier), extract(epoch FROM ended_at) FROM shown
    UNION ALL SELECT 'table_as_of_timestamp_seconds', jsonb_build_object('table', task, 'tier', tier), extract(epoch FROM as_of) FROM shown WHERE as_of IS NOT NULL
    UNION ALL SELECT 'table_load_rows', jsonb_build_object('table', task, 'tier', tier), rows FROM shown WHERE rows IS NOT NULL
    UNION ALL SELECT 'table_load_bytes', jsonb_build_object('table', task, 'tier', tier), bytes FROM shown WHERE bytes IS NOT NULL
    UNION ALL SELECT 'table_lag_seconds', jsonb_build_object('table', task, 'tier', tier), lag FROM shown WHERE lag IS NOT NULL
    UNION ALL SELECT 'tasks_on_hold', '{}', count(*) FROM barncat_control.holds
    UNION ALL SELECT 'incidents_open', jsonb_build_object('tier', alarm->>'tier', 'kind', alarm->>'kind'), count(*) FROM barncat_control.incidents
        WHERE state <> 'recovered' GROUP BY alarm->>'tier', alarm->>'kind'
    UNION ALL SELECT 'checks', jsonb_build_object('status', c.status), count(*) FROM (
        SELECT DISTINCT ON (task, check_name) status FROM barncat_control.check_results ORDER BY task, check_name, at DESC) c GROUP BY c.status
    UNION ALL SELECT 'connections_in_use', jsonb_build_object('of', regexp_replace(name, '/[0-9]+$', '')), count(session) FROM barncat_control.locks
        WHERE name ~ '^(source|warehouse)/.*/[0-9]+$' GROUP BY 2)
SELECT jsonb_build_object('figures', (SELECT jsonb_agg(to_jsonb(f)) FROM figures f),
    'at_work', (SELECT count(*) FROM barncat_control.ticks WHERE ended_at IS NULL) + (SELECT count(*) FROM barncat_control.runs WHERE ended_at IS NULL))
"""

# By how much what is measured, and not counted, may differ: by how it is written.
ROUNDING = 0.002


def read_metrics(text):
    """The samples of an answer, by name and labels."""
    if not text.endswith("# EOF\n"):
        raise Wrong("/metrics did not end by # EOF")
    samples = {}
    for line in text.splitlines():
        if line.startswith("#"):
            continue
        name, labels, value = re.fullmatch(r"barncat_([a-z_]+)(?:\{(.*)\})? (\S+)", line).groups()
        pairs = re.findall(r'([a-z_]+)="((?:[^"\\]|\\.)*)"', labels or "")
        samples[name, frozenset(pairs)] = float(value)
    return samples


def read_figures(answer):
    return {(one["name"], frozenset(one["labels"].items())): float(one["value"]) for one in answer["figures"]}


class Metrics:
    """What was compared, and where it differed."""

    def __init__(self, world):
        self.world, self.before, self.looks, self.compared, self.wrong = world, None, 0, 0, []

    def at_rest(self):
        """Both, of one moment at which nothing happens. The schedule must be paused."""
        servers, service = self.world.servers, self.world.service
        look = lambda: json.loads(servers.must("control", SQL))
        wait_for("nothing runs", lambda: look()["at_work"] == 0, 90, 0.3)
        for _ in range(10):
            time.sleep(COUNTED_AFTER)
            # The first answer may be of a picture that was taken before: it has the next one taken.
            service.get("/metrics")
            time.sleep(1.5)
            before, text, after = look(), service.get("/metrics"), look()
            if text and before == after:
                return read_metrics(text), read_figures(after)
        raise Wrong("the control database did not come to rest")

    def compare(self):
        """Compares all, counters by what was added since the last time with the same service."""
        said, known = self.at_rest()
        self.looks += 1
        if said.get(("control_up", frozenset())) != 1:
            self.wrong.append("control_up is not 1")
        names = {name for name, _ in known}
        counted = Counter()
        service, clock = self.world.service, self.world.servers.clock
        is_same = self.before and self.before[0] is service and self.before[1] == len(clock.steps)
        for key in {key for key in said if key[0] in names} | set(known):
            is_counter = key[0].endswith("_total")
            # What is not there is nothing.
            here, there = said.get(key, 0.0), known.get(key, 0.0)
            if is_counter:
                if not is_same:
                    continue
                here -= self.before[2].get(key, 0.0)
                there -= self.before[3].get(key, 0.0)
            counted[is_counter] += 1
            if abs(here - there) > ROUNDING + 1e-9 * abs(there):
                labels = ", ".join(f"{name}={value}" for name, value in sorted(key[1]))
                self.wrong.append(f"barncat_{key[0]}{{{labels}}}: /metrics says {here:g}, the control database {there:g}")
        self.compared += sum(counted.values())
        self.before = (service, len(clock.steps), said, known)
