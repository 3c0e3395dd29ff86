"""The servers, the clocks, the project and the service that all of this is about."""

import os
import subprocess
import threading
from pathlib import Path

from surroundings import Clock, Servers, Service, Wrong, faked

HERE = Path(__file__).resolve().parent
EVERY = 5
STOP_TIMEOUT = 8
STAGE_MEGABYTES = 24
# What all accounts hold together, at any moment that anybody may see.
TOTAL = 1_000_000


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
            **faked(self.library, self.clock, False),
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
        log = self.folder / "said" / f"service-{len(self.services) + 1:03}.log"
        self.services.append(Service(self.barncat, self.project, self.variables(), log, STOP_TIMEOUT))
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
