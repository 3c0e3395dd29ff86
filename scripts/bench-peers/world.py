"""The servers, what is asked of them, and what they have used so far."""

import os
import shlex
import subprocess
from pathlib import Path

REPO = Path(__file__).resolve().parents[2]
HOME = REPO / "target/bench"
TICKS = os.sysconf("SC_CLK_TCK")


class Wrong(Exception):
    """What ends the bench at once."""


def variables_of(path):
    """The variables that servers.sh has written down."""
    lines = (line.split("=", 1) for line in path.read_text().splitlines() if "=" in line)
    return {name: "".join(shlex.split(value)) for name, value in lines}


def fields_of(pid):
    """What /proc says of a process after its name, which may hold anything: `[0]` is its state, `[1]` its parent. `None`: it is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    except OSError:
        return None


def processes():
    """All that live now: pid → the fields above."""
    found = ((int(name), fields_of(name)) for name in os.listdir("/proc") if name.isdigit())
    return {pid: fields for pid, fields in found if fields}


class Servers:
    """`primary`, `standby` (the source) and `warehouse`."""

    NAMES = {"primary": "PRIMARY", "standby": "REPLICA", "warehouse": "WAREHOUSE"}

    def __init__(self):
        self.env = variables_of(HOME / "servers/env")
        self.psql = self.env["BARNCAT_SERVERS_BIN"] + "/psql"

    def url(self, server, database, is_admin=False):
        """An address; `is_admin` for set-up, else the role that barncat and its peers log in with."""
        kind = "ADMIN_URL" if is_admin else "URL"
        return self.env[f"BARNCAT_{self.NAMES[server]}_{kind}"].rpartition("/")[0] + "/" + database

    def ask(self, server, database, *statements, variables=(), file=None):
        """What statements answer, as text, as the superuser."""
        command = [self.psql, "-X", "-q", "-At", "-v", "ON_ERROR_STOP=1", "-d", self.url(server, database, True)]
        for name, value in dict(variables).items():
            command += ["-v", f"{name}={value}"]
        for statement in statements:
            command += ["-c", statement]
        if file:
            command += ["-f", str(REPO / file)]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            raise Wrong(f"{server}/{database}: {done.stderr.strip()}")
        return done.stdout.strip()

    def settle(self):
        """The standby has all, and nobody has yet to write what was done before."""
        subprocess.run([REPO / "scripts/servers.sh", "catch-up", "--dir", HOME / "servers"], check=True)
        for server in ("primary", "warehouse"):
            self.ask(server, "postgres", "CHECKPOINT")

    def cpu_seconds(self):
        """Of each server: the postmaster with the children that it has reaped, and those that live."""
        living = processes()
        used = {}
        for server, name in self.NAMES.items():
            pid = int(self.env[f"BARNCAT_{name}_PID"])
            ticks = sum(int(field) for field in living[pid][11:15])
            ticks += sum(int(fields[11]) + int(fields[12]) for fields in living.values() if int(fields[1]) == pid)
            used[server] = ticks / TICKS
        return used
