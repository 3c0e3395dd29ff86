"""The databases that servers.sh has started: `primary`, `standby` (the source), `warehouse`, and `control` in a cluster of its own."""

import os
import re
import shlex
import subprocess
import time
from pathlib import Path

from surroundings.clock import Clock, faked
from surroundings.waiting import Wrong, wait_for

REPO = Path(__file__).resolve().parents[2]


def variables_of(path):
    """The variables that servers.sh has written down."""
    lines = (line.split("=", 1) for line in path.read_text().splitlines() if "=" in line)
    return {name: "".join(shlex.split(value)) for name, value in lines}


class Servers:
    """Asks them by psql as the superuser, and does to them what servers.sh can. The control database's clock is `clock`."""

    def __init__(self, folder, library):
        self.folder, self.library = folder, library
        self.look()
        self.psql = self.of["servers"]["BARNCAT_SERVERS_BIN"] + "/psql"
        self.clock = Clock(Path(self.of["control"]["BARNCAT_SERVERS_DATA"]) / "clock")
        self.restart("control", False)

    def look(self):
        """Reads where they are: they may have changed places."""
        self.of = {name: variables_of(self.folder / name / "env") for name in ("servers", "control")}
        self.admin = {
            "primary": self.of["servers"]["BARNCAT_PRIMARY_ADMIN_URL"],
            "standby": self.of["servers"]["BARNCAT_REPLICA_ADMIN_URL"],
            "warehouse": self.of["servers"]["BARNCAT_WAREHOUSE_ADMIN_URL"],
            "control": re.sub("/[^/]*$", "/control", self.of["control"]["BARNCAT_WAREHOUSE_ADMIN_URL"]),
        }

    def ask(self, server, sql, *options, timeout=60):
        """What one statement answers, as text; `None` while the server is away."""
        done = subprocess.run(
            [self.psql, "-X", "-q", "-At", "-v", "ON_ERROR_STOP=1", *options, "-d", self.admin[server], "-c", sql],
            capture_output=True, text=True, timeout=timeout,
        )
        if done.returncode == 2:
            return None
        if done.returncode:
            # It may have been cut off in the middle.
            if re.search("terminating connection|server closed|shutting down", done.stderr):
                return None
            raise Wrong(f"{server}: {done.stderr.strip()}")
        return done.stdout.strip()

    def must(self, server, sql, *options):
        """The same of a server that is there, or soon will be."""
        return wait_for(f"the {server} answers", lambda: [answer for answer in [self.ask(server, sql, *options)] if answer is not None])[0]

    def run(self, command, server, *options):
        """A command of servers.sh."""
        folder, member = ("control", "warehouse") if server == "control" else ("servers", server)
        env = os.environ | (faked(self.library, self.clock, True) if server == "control" else {})
        done = subprocess.run([REPO / "scripts/servers.sh", command, member, "--dir", self.folder / folder, *options],
                              env=env, capture_output=True, text=True)
        if done.returncode:
            raise Wrong(f"servers.sh {command} {server}: {done.stderr.strip()}")

    def restart(self, server, is_crash, away=0):
        self.run("stop", server, *(["--immediate"] if is_crash else []))
        time.sleep(away)
        self.run("start", server)
