"""How often each way out of trouble was taken, as logs, ledger and control database tell it."""

import json
import re
from collections import Counter

# What barncat says when it takes one.
SAID = {
    "this service leads: it": "a service took the lead",
    "this service leads no more": "a service lost its lead",
    "another service leads": "a service stood by",
    "a tick whose run was interrupted": "an interrupted tick was gone on with",
    "a missed tick is made up for": "a missed tick was made up for",
    "tick skipped": "a tick was skipped",
    "waits for ": "something that was away was waited for",
    "waits no more for": "what was waited for came back",
    "locks not renewed": "locks could not be renewed",
    "locks are renewed again": "locks were renewed again",
    "lock not given back": "a lock could not be given back",
    "tidy.staging_table.dropped": "a staging table was swept",
    "tidy.uploads.aborted": "unfinished uploads were aborted",
    "tidy.objects.deleted": "objects of dead loads were deleted",
    "the publish waits for readers": "a publish waited for readers with older snapshots",
    "an alert was not sent": "an alert was not sent at once",
    "a tick was lost": "a tick was lost to another service",
    "what is still under way is stopped": "a stop left a run for the next service",
    "connections.all_taken": "an attempt waited for a connection",
}

CONTROL = """SELECT json_build_object(
    'runs that crashed were closed by others', (SELECT count(*) FROM barncat_control.runs WHERE status = 'crashed'),
    'runs that went on with another', (SELECT count(*) FROM barncat_control.runs WHERE resumes IS NOT NULL),
    'attempts', (SELECT count(*) FROM barncat_control.attempts),
    'tasks that were done in a second attempt or later', (SELECT count(*) FROM barncat_control.attempts WHERE attempt > 1 AND status IN ('succeeded', 'unchanged')),
    'tasks that found another at work', (SELECT count(*) FROM barncat_control.tasks WHERE status = 'held'),
    'backfills that were gone on with', (SELECT count(*) FROM (SELECT backfill FROM barncat_control.backfill_chunks JOIN
        barncat_control.attempts a USING (load) GROUP BY backfill HAVING count(DISTINCT a.run) > 1) b),
    'incidents that were opened', (SELECT count(*) FROM barncat_control.incidents), 'incidents that recovered', (SELECT count(*) FROM barncat_control.incidents WHERE state = 'recovered'),
    'alerts that were sent', (SELECT count(*) FROM barncat_control.outbox WHERE sent_at IS NOT NULL),
    'alerts that were sent after a failure', (SELECT count(*) FROM barncat_control.outbox WHERE sent_at IS NOT NULL AND tries > 1))"""
RUNS = "SELECT coalesce(status, 'under way'), count(*) FROM barncat_control.runs GROUP BY 1"
ATTEMPTS = "SELECT coalesce(failure->>'class', '?') || '|' || coalesce(failure->>'message', '?') FROM barncat_control.attempts WHERE status = 'failed'"
PUBLISHES = "SELECT strategy || ' by ' || publish, count(*) FROM barncat.loads GROUP BY 1"
LATE = "SELECT coalesce(sum(late_rows), 0) || '|' || coalesce(sum(deleted_rows), 0) FROM barncat.loads"
REASONS = """SELECT split_part(split_part(outcome->>'reason', ':', 1), ';', 1), count(*) FROM barncat_control.tasks
    WHERE status = 'succeeded' AND kind = 'load' AND outcome->>'reason' IS NOT NULL GROUP BY 1"""


def shape(message):
    """An error without names and numbers."""
    message = re.sub(r"`[^`]*`|\"[^\"]*\"|raw\.\S+|public\.\S+|\S*t\d+_\w+\S*", "…", message)
    return re.sub(r"[0-9A-Z]{26}|\d+(\.\d+)*", "N", message)[:110]


class Paths:
    """Adds up over all rounds."""

    def __init__(self):
        self.taken, self.runs, self.publishes, self.reasons, self.errors, self.late = Counter(), Counter(), Counter(), Counter(), Counter(), Counter()

    def look(self, world):
        servers = world.servers
        for path in world.said.glob("*.log"):
            for line in path.read_text(errors="replace").splitlines():
                for said, name in SAID.items():
                    if f'"message":"{said}' in line or (not line.startswith("{") and said in line):
                        self.taken[name] += 1
        for name, count in json.loads(servers.must("control", CONTROL)).items():
            self.taken[name] += count
        for sql, server, counter in ((RUNS, "control", self.runs), (PUBLISHES, "warehouse", self.publishes), (REASONS, "control", self.reasons)):
            for line in servers.must(server, sql).splitlines():
                name, count = line.rsplit("|", 1)
                counter[name] += int(count)
        for line in servers.must("control", ATTEMPTS).splitlines():
            kind, _, message = line.partition("|")
            self.errors[f"{kind}: {shape(message)}"] += 1
        late, deleted = servers.must("warehouse", LATE).split("|")
        self.late["late rows that were caught"] += int(late)
        self.late["rows that were deleted or marked"] += int(deleted)
