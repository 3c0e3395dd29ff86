"""All that a round is about: servers, proxies before them, doubles, the project and the services that run it."""

import os
import random as chance
import re
import shutil
import signal
import subprocess
import threading
from pathlib import Path

from project import Project, prepare
from proxy import Network
from surroundings import Clock, Servers, Service, Wrong, faked, wait_for

REPO = Path(__file__).resolve().parents[2]
STOP_TIMEOUT = 8
STAGE_MEGABYTES = 48

# Planted: none of it may be said anywhere.
TOKEN = "torture-bearer-token-7f3a9c"


def shell_variables(path):
    """What a double has written for a shell."""
    return dict(re.findall(r"^export (\w+)='(.*)'$", path.read_text(), re.M))


class Doubles:
    """S3's and Slack's stand-ins, for all rounds. The bucket lies in the folder that gets full."""

    def __init__(self, world):
        self.world, self.processes = world, []
        self.s3_folder = world.disk / "s3"
        self.s3 = self.start("redshift-double", self.s3_folder, "--postgres-url", re.sub("/[^/]*$", "/postgres", world.servers.admin["warehouse"]))
        self.slack = self.start("alert-double", world.folder / "slack")

    def start(self, name, folder, *options):
        folder.mkdir(parents=True, exist_ok=True)
        with (self.world.folder / f"said/{name}.log").open("wb") as log:
            process = subprocess.Popen([self.world.built / name, "--folder", folder, *options], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self.processes.append(process)
        shell = folder / "shell"
        wait_for(f"{name} is there", lambda: process.poll() is None and shell.exists() and shell.read_text().endswith("\n"))
        return shell_variables(shell)

    def end(self):
        for process in self.processes:
            process.terminate()
            process.wait()


class World:
    """Servers, network and doubles are for all rounds; `begin` makes a project of its own for each."""

    def __init__(self, folder, built, library, history, seed):
        self.folder, self.built, self.barncat, self.library = folder, built, built / "barncat", library
        self.history, self.seed = history, seed
        (folder / "said").mkdir(parents=True, exist_ok=True)
        self.disk = folder / "disk"
        self.disk.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={STAGE_MEGABYTES}m", "tmpfs", self.disk], check=True)
        self.servers = Servers(folder, library)
        self.servers.roles = REPO / "sql/roles"
        self.clock = Clock(folder / "clock")
        self.doubles = Doubles(self)
        self.network, self.proxies = Network(), {}
        for name, address in self.addresses().items():
            self.proxies[name] = self.network.proxy(name, *address)
        self.project = None
        self.services, self.started, self.points, self.backfilled_tables = [], 0, [], set()
        self.lock = threading.RLock()

    # ---- where everything is -----------------------------------------------------------------------

    def addresses(self):
        of = self.servers.of
        found = {"source": of["servers"]["BARNCAT_REPLICA_URL"], "warehouse": of["servers"]["BARNCAT_WAREHOUSE_URL"],
                 "control": of["control"]["BARNCAT_CONTROL_URL"], "s3": self.doubles.s3["REDSHIFT_S3_ENDPOINT"],
                 "slack": self.doubles.slack["SLACK_API"]}
        ports = {name: int(re.search(r":(\d+)(?:/|$)", url.split("@")[-1].split("//")[-1]).group(1)) for name, url in found.items()}
        return {name: ("127.0.0.1", port) for name, port in ports.items()}

    def look_again(self):
        """The servers may have changed places."""
        self.servers.look()
        for name, address in self.addresses().items():
            self.proxies[name].target = address

    def through(self, name, url):
        """The url, by way of its proxy."""
        port = self.addresses()[name][1]
        return url.replace(f"127.0.0.1:{port}", f"127.0.0.1:{self.proxies[name].port}", 1)

    def variables(self):
        of = self.servers.of
        return {
            "PATH": os.environ["PATH"], "HOME": str(self.folder), "USER": "torture",
            "SHOP_REPLICA_URL": self.through("source", of["servers"]["BARNCAT_REPLICA_URL"]),
            "WAREHOUSE_URL": self.through("warehouse", of["servers"]["BARNCAT_WAREHOUSE_URL"]),
            "CONTROL_URL": self.through("control", of["control"]["BARNCAT_CONTROL_URL"]),
            "S3_ENDPOINT": self.through("s3", self.doubles.s3["REDSHIFT_S3_ENDPOINT"]),
            "SLACK_API": self.through("slack", self.doubles.slack["SLACK_API"]), "SLACK_TOKEN": self.doubles.slack["SLACK_TOKEN"],
            **{name: value for name, value in self.doubles.s3.items() if name.startswith("AWS_")},
            "STAGE": str(self.disk / "stage"), "BARNCAT_TOKEN": TOKEN,
            **faked(self.library, self.clock, False),
        }

    def secrets(self):
        """What must be said nowhere, by what it is."""
        of = self.servers.of
        found = {name: value for variables in of.values() for name, value in variables.items() if name.endswith("_PASSWORD")}
        return found | {"AWS_SECRET_ACCESS_KEY": self.doubles.s3["AWS_SECRET_ACCESS_KEY"], "SLACK_TOKEN": self.doubles.slack["SLACK_TOKEN"],
                        "BARNCAT_TOKEN": TOKEN}

    def stage_folder(self):
        return self.doubles.s3_folder / "s3/stage/torture" if self.project.is_s3 else self.disk / "stage"

    def object(self, key):
        return self.stage_folder() / key

    def backfilled(self, table):
        return table.name in self.backfilled_tables

    # ---- a round -----------------------------------------------------------------------------------

    def begin(self, number):
        random = chance.Random(f"{self.seed}/{number}")
        self.round_folder = self.folder / f"round-{number}"
        self.project_folder, self.said = self.round_folder / "project", self.round_folder / "said"
        self.project_folder.mkdir(parents=True)
        self.said.mkdir()
        # By turns, so that even a short one has both.
        self.project = Project(f"{self.seed}/{number}", is_s3=(number + self.seed) % 2 == 0)
        self.backfilled_tables = set()
        for left in (self.disk / "stage", self.doubles.s3_folder / "s3/stage/torture"):
            shutil.rmtree(left, ignore_errors=True)
        (self.disk / "stage").mkdir()
        self.project.write(self.project_folder)
        prepare(self.servers, self.project)
        self.servers.run("catch-up", "standby")
        return random

    def next_log(self, name, ending="log"):
        with self.lock:
            self.started += 1
            return self.said / f"{self.started:04}-{name}.{ending}"

    def start_service(self):
        service = Service(self.barncat, self.project_folder, self.variables(), self.next_log("serve"), STOP_TIMEOUT)
        with self.lock:
            self.services.append(service)
        self.history.count("services started")
        return service

    def popen(self, name, arguments, points=None):
        """barncat by hand; its stdout and stderr go to files. Returns the process and both."""
        log = self.next_log(name)
        out = log.with_suffix(".json")
        variables = self.variables() | ({"BARNCAT_FAILPOINTS": points} if points else {})
        with log.open("wb") as stderr, out.open("wb") as stdout:
            process = subprocess.Popen([self.barncat, *arguments], cwd=self.project_folder, env=variables, stdin=subprocess.DEVNULL,
                                       stdout=stdout, stderr=stderr)
        return process, out, log

    def calm(self):
        """Nothing goes wrong any more: the network carries, clocks are right, what was stopped goes on."""
        for proxy in self.proxies.values():
            proxy.set("pass")
            self.network.call(proxy.cut)
        self.clock.set(0)
        with self.lock:
            for service in self.services:
                if service.is_alive():
                    service.process.send_signal(signal.SIGCONT)

    def end_services(self):
        """By SIGTERM; each must end well."""
        with self.lock:
            services, self.services = self.services, []
        for service in services:
            if not service.is_alive():
                self.history.violation("a service lives on", f"{service.log.name}: it ended by itself, with status {service.process.returncode}")
                continue
            try:
                service.stop()
            except Wrong as error:
                self.history.violation("exit status is honest", str(error))
                service.process.kill()
                service.process.wait()

    def end(self):
        """Leaves no process and no mount behind."""
        for service in self.services:
            if service.is_alive():
                service.process.send_signal(signal.SIGCONT)
                service.kill()
        self.doubles.end()
        subprocess.run(["umount", "-l", self.disk], check=False)
