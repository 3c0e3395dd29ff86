"""The servers, the clocks, the project and the service that all of this is about."""

import json
import os
import re
import shlex
import signal
import subprocess
import threading
import time
import urllib.request
from pathlib import Path

REPO = Path(__file__).resolve().parents[2]
HERE = Path(__file__).resolve().parent
EVERY = 5
STOP_TIMEOUT = 8
STAGE_MEGABYTES = 24
# What all accounts hold together, at any moment that anybody may see.
TOTAL = 1_000_000


class Wrong(Exception):
    """What ends the soak at once."""


def variables_of(path):
    """The variables that servers.sh has written down."""
    lines = (line.split("=", 1) for line in path.read_text().splitlines() if "=" in line)
    return {name: "".join(shlex.split(value)) for name, value in lines}


def wait_for(what, is_it, seconds=60, pause=0.05):
    """Waits until something is so, and returns what it then is."""
    end = time.monotonic() + seconds
    while True:
        answer = is_it()
        if answer:
            return answer
        if time.monotonic() > end:
            raise Wrong(f"not so within {seconds} s: {what}")
        time.sleep(pause)


class Clock:
    """A clock that a file sets: how many seconds it is ahead of the machine's."""

    def __init__(self, path):
        self.path, self.ahead, self.steps = path, 0, []
        self.set(0)

    def set(self, ahead):
        new = self.path.with_suffix(".new")
        new.write_text(f"{ahead:+d}\n")
        new.chmod(0o644)
        new.rename(self.path)
        self.ahead = ahead
        self.steps.append((time.time(), ahead))


class Servers:
    """The databases: `standby` (the source), `warehouse`, `control`."""

    def __init__(self, folder, library):
        self.folder, self.library = folder, library
        self.of = {name: variables_of(folder / name / "env") for name in ("servers", "control")}
        self.psql = self.of["servers"]["BARNCAT_SERVERS_BIN"] + "/psql"
        admin = {
            "primary": self.of["servers"]["BARNCAT_PRIMARY_ADMIN_URL"],
            "standby": self.of["servers"]["BARNCAT_REPLICA_ADMIN_URL"],
            "warehouse": self.of["servers"]["BARNCAT_WAREHOUSE_ADMIN_URL"],
            "control": re.sub("/[^/]*$", "/control", self.of["control"]["BARNCAT_WAREHOUSE_ADMIN_URL"]),
        }
        self.admin = admin
        self.clock = Clock(Path(self.of["control"]["BARNCAT_SERVERS_DATA"]) / "clock")
        self.restart("control", False)

    def ask(self, server, sql):
        """What one statement answers, as text; `None` while the server is away."""
        done = subprocess.run(
            [self.psql, "-X", "-q", "-At", "-v", "ON_ERROR_STOP=1", "-d", self.admin[server], "-c", sql],
            capture_output=True, text=True, timeout=60,
        )
        if done.returncode == 2:
            return None
        if done.returncode:
            # It may have been cut off in the middle.
            if re.search("terminating connection|server closed|shutting down", done.stderr):
                return None
            raise Wrong(f"{server}: {done.stderr.strip()}")
        return done.stdout.strip()

    def must(self, server, sql):
        """The same of a server that is there, or soon will be."""
        return wait_for(f"the {server} answers", lambda: [answer for answer in [self.ask(server, sql)] if answer is not None])[0]

    def run(self, command, server, *options):
        """A command of servers.sh."""
        folder, member = ("control", "warehouse") if server == "control" else ("servers", server)
        env = dict(os.environ)
        if server == "control":
            env |= {"LD_PRELOAD": self.library, "FAKETIME_TIMESTAMP_FILE": str(self.clock.path), "FAKETIME_NO_CACHE": "1",
                    "FAKETIME_DONT_FAKE_MONOTONIC": "1", "FAKETIME_DISABLE_SHM": "1"}
        done = subprocess.run([REPO / "scripts/servers.sh", command, member, "--dir", self.folder / folder, *options],
                              env=env, capture_output=True, text=True)
        if done.returncode:
            raise Wrong(f"servers.sh {command} {server}: {done.stderr.strip()}")

    def restart(self, server, is_crash, away=0):
        self.run("stop", server, *(["--immediate"] if is_crash else []))
        time.sleep(away)
        self.run("start", server)


class Service:
    """A service of the built binary."""

    started = 0

    def __init__(self, world):
        Service.started += 1
        self.world, self.log = world, world.folder / "said" / f"service-{Service.started:03}.log"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [world.barncat, "serve", "--listen", "127.0.0.1:0", "--log-format", "json", "--stop-timeout", f"{STOP_TIMEOUT}s"],
                cwd=world.project, env=world.variables(), stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self.port = None

    def lines(self):
        """All that it said by now."""
        lines = self.log.read_text(errors="replace").split("\n")[:-1]
        return [json.loads(line) if line.startswith("{") else {"message": line, "level": "NO JSON"} for line in lines]

    def says(self, message, seconds=60):
        def said():
            if self.process.poll() is not None:
                raise Wrong(f"{self.log.name}: it ended before it said `{message}`")
            return next((line for line in self.lines() if line.get("message", "").startswith(message)), None)
        return wait_for(f"{self.log.name} says `{message}`", said, seconds)

    def get(self, path):
        """What it answers; `None`: nothing."""
        self.port = self.port or self.says("serves")["listen"].rsplit(":", 1)[1]
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=20) as answer:
                return answer.read().decode()
        except OSError:
            return None

    def until_it_leads(self):
        """How long that took, in seconds."""
        begun = time.monotonic()
        self.says("this service leads")
        return time.monotonic() - begun

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self):
        """By SIGTERM. How long it took, in seconds; it must end well and in time."""
        begun = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        try:
            status = self.process.wait(STOP_TIMEOUT + 15)
        except subprocess.TimeoutExpired:
            raise Wrong(f"{self.log.name}: it did not stop within {STOP_TIMEOUT + 15} s") from None
        if status != 0:
            raise Wrong(f"{self.log.name}: it ended with status {status} after SIGTERM")
        return time.monotonic() - begun


class World:
    """All of it."""

    def __init__(self, folder, barncat, library):
        self.folder, self.barncat, self.library = folder, barncat, library
        self.project, self.stage = folder / "project", folder / "project/stage"
        (folder / "said").mkdir(parents=True)
        self.stage.mkdir(parents=True)
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={STAGE_MEGABYTES}m", "tmpfs", self.stage], check=True)
        self.servers = Servers(folder, library)
        self.clock = Clock(folder / "clock")
        self.services, self.writer, self.pauses = [], None, []
        self.make_project()

    def variables(self):
        of = self.servers.of
        return {
            "PATH": os.environ["PATH"],
            "SHOP_REPLICA_URL": of["servers"]["BARNCAT_REPLICA_URL"],
            "WAREHOUSE_URL": of["servers"]["BARNCAT_WAREHOUSE_URL"],
            "CONTROL_URL": of["control"]["BARNCAT_CONTROL_URL"],
            "LD_PRELOAD": self.library, "FAKETIME_TIMESTAMP_FILE": str(self.clock.path), "FAKETIME_CACHE_DURATION": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1", "FAKETIME_DISABLE_SHM": "1",
        }

    def make_project(self):
        subprocess.run(["cp", "-R", f"{HERE}/project/.", self.project], check=True)
        done = subprocess.run([self.servers.psql, "-X", "-q", "-v", "ON_ERROR_STOP=1", "-v", f"total={TOTAL}", "-d",
                               self.servers.admin["primary"], "-f", HERE / "shop.sql"], capture_output=True, text=True)
        if done.returncode:
            raise Wrong(done.stderr)

    def start_writer(self):
        """One session that changes all tables five times a second, for as long as the soak goes."""
        self.writer = subprocess.Popen([self.servers.psql, "-X", "-q", "-At", "-d", self.servers.admin["primary"]],
                                       stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
        self.writer.stdin.write("CALL change_something() \\watch 0.2\n")
        self.writer.stdin.flush()

    def stop_writer(self):
        if self.writer:
            self.writer.kill()
            self.writer.wait()
            self.writer = None

    def command(self, *arguments):
        """Runs barncat by hand."""
        return subprocess.run([self.barncat, *arguments], cwd=self.project, env=self.variables(), stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=300)

    def start(self):
        self.services.append(Service(self))
        return self.services[-1]

    @property
    def service(self):
        """The one that was started last."""
        return self.services[-1]

    def pause(self):
        done = self.command("schedules", "pause", "soak")
        if done.returncode:
            raise Wrong(f"the schedule was not paused: {done.stderr}")

    def resume(self):
        done = self.command("schedules", "resume", "soak")
        if done.returncode:
            raise Wrong(f"the schedule was not resumed: {done.stderr}")
        self.pauses.append(self.servers.must("control", "SELECT since FROM barncat_control.schedules"))

    def end(self):
        """Leaves no process behind."""
        self.stop_writer()
        for service in self.services:
            if service.process.poll() is None:
                service.kill()


class Reader(threading.Thread):
    """Looks at the published table all the time, as a report would: it is whole, or nobody can be asked."""

    def __init__(self, world):
        super().__init__(daemon=True)
        self.world, self.looks, self.wrong, self.ended = world, 0, [], threading.Event()

    def run(self):
        while not self.ended.wait(0.7):
            try:
                answer = self.world.servers.ask("warehouse", "SELECT count(*) || ' ' || sum(amount) FROM raw.accounts")
            except (Wrong, subprocess.TimeoutExpired) as error:
                self.wrong.append(str(error))
                continue
            if answer is None:
                continue
            self.looks += 1
            if answer != f"2000 {TOTAL}":
                self.wrong.append(f"a reader saw `{answer}`, not 2000 accounts with {TOTAL}")
