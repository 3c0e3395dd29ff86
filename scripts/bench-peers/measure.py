"""One run of one way: wall time, CPU time of all who took part, and memory at its peak."""

import os
import re
import signal
import subprocess
import threading
import time
from pathlib import Path

from world import HOME, processes

# How often memory is looked at, in seconds.
EVERY = 0.2


class Failed(Exception):
    """A peer that ended otherwise than well; its words."""


def proportional_bytes(pid):
    """What a process takes of the memory, pages that several share by their share."""
    try:
        found = re.search(r"^Pss:\s+(\d+)", Path(f"/proc/{pid}/smaps_rollup").read_text(), re.M)
    except OSError:
        return 0
    return int(found[1]) * 1024 if found else 0


class Memory(threading.Thread):
    """The greatest sum over a process and all that it started, whatever session they are in."""

    def __init__(self, root):
        super().__init__(daemon=True)
        self.root, self.peak, self.seen, self.ended = root, 0, set(), threading.Event()

    def family(self):
        living = processes()
        family, is_growing = {self.root}, True
        while is_growing:
            more = {pid for pid, fields in living.items() if int(fields[1]) in family} - family
            family |= more
            is_growing = bool(more)
        self.seen |= family
        return family

    def run(self):
        while not self.ended.wait(EVERY):
            self.peak = max(self.peak, sum(proportional_bytes(pid) for pid in self.family()))


def without_secrets(text):
    return re.sub(r"(://[^:/@\s]*):[^@\s]*@", r"\1:…@", re.sub(r"(password=)\S+", r"\1…", text))


def last_words(path, lines=4):
    """What a program said last, in which a reason is to be found."""
    said = [line.strip() for line in path.read_text(errors="replace").splitlines() if line.strip()]
    telling = [line for line in said if re.search("error|fail|exception|fatal|not supported", line, re.I)]
    return without_secrets(" / ".join((telling or said)[-lines:]))[:600]


def run(name, command, env, servers, patience):
    """Runs a command to its end and returns its figures; its output is in target/bench/peers/log/NAME.log."""
    log, used = HOME / f"peers/log/{name}.log", HOME / "peers/time"
    log.parent.mkdir(parents=True, exist_ok=True)
    before, started = servers.cpu_seconds(), time.monotonic()
    with log.open("wb") as output:
        # GNU time, because a child's greatest memory begins with that of whoever starts it.
        process = subprocess.Popen(["time", "-q", "-f", "%U %S %M", "-o", used, *map(str, command)], env=os.environ | env,
                                   stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True)
        memory = Memory(process.pid)
        memory.start()
        try:
            status = process.wait(patience)
        except subprocess.TimeoutExpired:
            # By their ids, those that left the session too.
            for pid in memory.family() | {process.pid}:
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass
            process.wait()
            raise Failed(f"not done after {patience:.0f} s") from None
        finally:
            wall = time.monotonic() - started
            memory.ended.set()
            memory.join()
    after = servers.cpu_seconds()
    if status:
        raise Failed(last_words(log) or f"exit status {status}")
    user, system, greatest = used.read_text().split()[-3:]
    return {
        "wall_seconds": round(wall, 2),
        "client_cpu_seconds": round(float(user) + float(system), 2),
        # A peer that cannot read a standby reads the primary.
        "source_cpu_seconds": round(sum(after[server] - before[server] for server in ("primary", "standby")), 2),
        "warehouse_cpu_seconds": round(after["warehouse"] - before["warehouse"], 2),
        # The sum over processes is sampled, and may miss a peak that the greatest one of them alone had.
        "peak_memory_bytes": max(memory.peak, int(greatest) * 1024),
    }
