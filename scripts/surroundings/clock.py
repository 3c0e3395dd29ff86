"""Clocks that step, by libfaketime."""

import time
from pathlib import Path

SHARED_MEMORY = Path("/dev/shm")


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


def forget_the_dead():
    """libfaketime keeps shared memory by a process' number, which stays when it is killed: the next process of that number would not
    start. Older ones (0.9.10) cannot do without."""
    for kept in SHARED_MEMORY.glob("*faketime_s*_*"):
        number = kept.name.rpartition("_")[2]
        if number.isdigit() and not Path("/proc", number).exists():
            kept.unlink(missing_ok=True)


def faked(library, clock, is_read_each_time):
    """The variables by which a process takes that clock for the machine's. To read the file each time costs a server little and
    a client that asks much."""
    forget_the_dead()
    often = {"FAKETIME_NO_CACHE": "1"} if is_read_each_time else {"FAKETIME_CACHE_DURATION": "1"}
    return {"LD_PRELOAD": library, "FAKETIME_TIMESTAMP_FILE": str(clock.path), **often,
            "FAKETIME_DONT_FAKE_MONOTONIC": "1", "FAKETIME_DISABLE_SHM": "1"}
