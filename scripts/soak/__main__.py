"""scripts/soak.sh starts this: python3 scripts/soak FOLDER MINUTES BARNCAT LIBFAKETIME"""

import json
import os
import random
import signal
import sys
import time
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parent), str(Path(__file__).resolve().parents[1])]

from faults import Faults  # noqa: E402  the folder is known now
from leaks import Sampler, compare  # noqa: E402
from metrics import Metrics  # noqa: E402
from ticks import Accounts  # noqa: E402
from surroundings import Wrong, wait_for  # noqa: E402
from world import Reader, World  # noqa: E402

# The first part of the time: the service is replaced, too. In the second one process lives on.
STORM = ["kill", "restart:control:crash", "roll", "restart:warehouse:crash", "stop", "restart:standby:crash", "disk full", "kill"]
LIFE = ["restart:standby:fast:2", "disk full", "restart:warehouse:fast:3", "own clock", "restart:control:fast:4", "control clock"]

TABLES = {"accounts": "id", "people": "id", "events": "id"}
DIGEST = "SELECT count(*) || ' ' || coalesce(sum(hashtextextended(t::text, 0)::numeric), 0) FROM {} t"


class Soak:
    def __init__(self, folder, minutes, barncat, library):
        self.seed = int(os.environ.get("SEED") or random.randrange(1_000_000))
        self.random, self.minutes = random.Random(self.seed), minutes
        self.world = World(folder, barncat, library)
        self.faults, self.metrics, self.sampler, self.reader = Faults(self.world), Metrics(self.world), Sampler(self.world), Reader(self.world)
        self.wrong, self.figures = [], {"minutes": minutes, "seed": self.seed}

    def say(self, text):
        print(f"== {text}", file=sys.stderr, flush=True)

    def wait(self, seconds):
        """Time in which nothing is done to it; it must live on."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            status = self.world.service.process.poll()
            if status is not None:
                raise Wrong(f"{self.world.service.log.name}: it ended by itself, with status {status}")
            time.sleep(min(0.5, max(0.0, end - time.monotonic())))

    def look_at_rest(self):
        """With the schedule paused: metrics, and what the service keeps while it does nothing. From when to when that was."""
        self.world.pause()
        self.metrics.compare()
        begun = time.monotonic()
        self.sampler.look_at_rest(5)
        window = (begun, time.monotonic())
        self.world.resume()
        return window

    def storm(self, faults, end, pauses):
        """Each of the faults at least once, in any order, and again until the time is over; metrics in between."""
        looked_at, first = time.monotonic(), True
        while first or time.monotonic() < end:
            order = list(faults) if self.minutes < 10 else self.random.sample(faults, len(faults))
            for name in order:
                if not first and time.monotonic() > end:
                    return
                self.faults.do(name)
                self.wait(self.random.uniform(*pauses))
                if time.monotonic() - looked_at > 120:
                    self.look_at_rest()
                    looked_at = time.monotonic()
            first = False

    def play(self):
        is_short = self.minutes < 10
        window, warm, pauses = (14, 10, (0, 2)) if is_short else (180, 120, (5, 20))
        # What comes at the end takes half a minute.
        begun, all_of_it = time.monotonic(), self.minutes * 60 - 30
        self.world.start_writer()
        self.world.start().until_it_leads()
        servers = self.world.servers
        wait_for("a first load", lambda: servers.ask("warehouse", "SELECT 'there' FROM pg_class WHERE relname = 'accounts'"))
        self.reader.start()
        self.sampler.start()
        self.say("the service is killed and replaced, databases crash, the disk is full")
        self.storm(STORM, begun + all_of_it * 0.35, pauses)
        self.say("one service lives on, while databases restart, the disk is full and clocks step")
        self.faults.do("stop")
        self.wait(warm)
        early = [self.window(window), self.look_at_rest()]
        self.storm(LIFE, begun + all_of_it - window - 20, pauses)
        self.wait(6)
        return early, [self.window(window), self.look_at_rest()]

    def window(self, seconds):
        begun = time.monotonic()
        self.wait(seconds)
        return begun, time.monotonic()

    def settle(self):
        """The data stop changing, the schedule comes to rest, and all is compared."""
        self.say("it comes to rest, and is looked at")
        servers, world = self.world.servers, self.world
        world.stop_writer()
        servers.run("catch-up", "standby")
        # A whole tick after the last change.
        self.wait(11)
        world.pause()
        self.metrics.compare()
        alive = world.service.get("/healthz") or ""
        if '"panics":0' not in alive:
            self.wrong.append(f"/healthz says {alive}")
        self.sampler.ended.set()
        self.reader.ended.set()
        for table in TABLES:
            here, there = servers.must("standby", DIGEST.format(table)), servers.must("warehouse", DIGEST.format(f"raw.{table}"))
            if here != there:
                self.wrong.append(f"raw.{table} is not equal to the source: {there}, not {here}")
        self.faults.stops.append(world.service.stop())
        # What it left: nothing that lies about, no connection anywhere, no staging table.
        done = world.command("clean", "--dry-run", "--output", "json")
        about = json.loads(done.stdout) if done.returncode == 0 else {}
        if about.get("staging_tables") != [] or about.get("uploads") != [] or about["unpublished"]["objects"] or about["past_keep"]["objects"]:
            self.wrong.append(f"something lies about: {done.stdout} {done.stderr}")
        time.sleep(1)
        for server in ("standby", "warehouse", "control"):
            left = servers.must(server, "SELECT string_agg(application_name, ', ') FROM pg_stat_activity WHERE usename LIKE 'barncat%'")
            if left:
                self.wrong.append(f"connections are left at the {server}: {left}")
        left = servers.must("warehouse", "SELECT string_agg(relname, ', ') FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace WHERE nspname = 'barncat_staging' AND relkind = 'r'")
        if left:
            self.wrong.append(f"staging tables are left: {left}")

    def look_at_logs(self):
        lines = 0
        for service in self.world.services:
            for line in service.lines():
                lines += 1
                message = line.get("message", "")
                if line.get("level") == "NO JSON" or "bug in barncat" in message or message == "panic":
                    self.wrong.append(f"{service.log.name}: {line}")
        return lines

    def judge(self, early, late):
        accounts = Accounts(self.world, self.faults.done)
        self.wrong += accounts.look()
        self.wrong += self.metrics.wrong + self.reader.wrong[:5]
        figures, grew = compare(self.sampler, early, late)
        self.wrong += grew
        if self.metrics.compared < 50 or self.reader.looks < 20:
            self.wrong.append(f"too little was looked at: {self.metrics.compared} metrics, {self.reader.looks} looks of readers")
        slow = max(self.faults.takeovers)
        if slow > 15:
            self.wrong.append(f"it took {slow:.1f} s until another service led")
        names = [fault.name.split(":")[0] if "clock" not in fault.name else fault.name for fault in self.faults.done]
        self.figures |= {
            "faults": len(names), **{f"  {name}": names.count(name) for name in sorted(set(names))},
            **accounts.figures(),
            "another service leads after, at most": f"{slow:.1f} s", "SIGTERM to the end, at most": f"{max(self.faults.stops):.1f} s",
            "times /metrics was compared": self.metrics.looks, "figures that were compared": self.metrics.compared,
            "times a reader looked": self.reader.looks,
            **figures,
            "lines of logs": self.look_at_logs(),
        }

    def report(self):
        width = max(map(len, self.figures))
        for name, value in self.figures.items():
            print(f"{name:<{width}}  {value}")
        for what in self.wrong[:30]:
            print(f"error: {what}", file=sys.stderr)
        if len(self.wrong) > 30:
            print(f"error: and {len(self.wrong) - 30} more", file=sys.stderr)
        if self.wrong:
            print(f"hint: target/soak/said has what the services said; SEED={self.seed} does the same again", file=sys.stderr)
        return 1 if self.wrong else 0


def main():
    folder, minutes, barncat, library = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3], sys.argv[4]
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    soak = Soak(folder, minutes, barncat, library)
    try:
        early, late = soak.play()
        soak.settle()
        soak.judge(early, late)
    except Wrong as error:
        soak.wrong.append(str(error))
    finally:
        soak.world.end()
    return soak.report()


if __name__ == "__main__":
    sys.exit(main())
