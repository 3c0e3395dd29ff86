"""scripts/torture.sh starts this: python3 scripts/torture FOLDER MINUTES SEED BUILT LIBFAKETIME"""

import re
import signal
import subprocess
import sys
import time
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parent), str(Path(__file__).resolve().parents[1])]

from actions import Actor  # noqa: E402  the folders are known now
from faults import NETWORK, SERVERS, Faults  # noqa: E402
from history import History  # noqa: E402
from observers import Reader, StageWatcher, States  # noqa: E402
from paths import Paths  # noqa: E402
from report import write  # noqa: E402
from settle import Settling  # noqa: E402
from surroundings import Wrong  # noqa: E402
from traffic import Writer  # noqa: E402
from world import World  # noqa: E402

# How long a project is tortured, and what comes to rest and is looked at afterwards, about.
ROUND_SECONDS = 150
SETTLE_SECONDS = 60


class Torture:
    def __init__(self, folder, minutes, seed, built, library):
        self.folder, self.minutes, self.seed = folder, minutes, seed
        self.history, self.paths = History(folder), Paths()
        self.version = subprocess.run([built / "barncat", "--version"], capture_output=True, text=True).stdout.strip()
        self.world = World(folder, built, library, self.history, seed)
        self.tables, self.s3_rounds, self.points = [], 0, []
        self.streams = {"network": 0, "servers": 0}
        self.stops_early = False

    def say(self, text):
        print(f"== {time.time() - self.history.begun:6.0f} s  {text}", flush=True)

    def round(self, seconds):
        history, world = self.history, self.world
        history.round += 1
        world.begin(history.round)
        project = world.project
        self.s3_rounds += project.is_s3
        self.tables.append({table.name: {"columns": [sql_type for _, sql_type, _ in table.columns], "rows": table.rows, **table.settings} for table in project.tables})
        self.say(f"round {history.round}: {'S3' if project.is_s3 else 'a folder'}; {', '.join(table.name for table in project.tables)}")
        self.first_load()
        states = States(world)
        states.refresh()
        reader, second = Reader(world, states), Reader(world, states)
        second.turn = 3
        watchers = [reader, second, StageWatcher(world)]
        writers = [Writer(world, f"writer {n}") for n in (1, 2)]
        faults = [Faults(world, "network", NETWORK, self.streams["network"]), Faults(world, "servers", SERVERS, self.streams["servers"])]
        actors = [Actor(world, f"actor {n}") for n in (1, 2)]
        world.start_service()
        world.start_service()
        for thread in watchers + writers + faults + actors:
            thread.start()
        self.wait(seconds)
        for thread in actors + faults:
            thread.ended.set()
        for thread in faults:
            thread.end()
            self.streams[thread.name] = thread.place
        world.calm()
        for thread in actors + writers:
            thread.end()
        self.say("it comes to rest, and is looked at")
        for thread in (second, watchers[2]):
            thread.end()
        reader.waiting += second.waiting
        settling = Settling(world, reader, states)
        settling.come_to_rest()
        reader.end()
        settling.compare()
        reader.settle_waiting(at_end=True)
        settling.clean(settling.look_at_ledger())
        settling.look_for_secrets()
        self.paths.look(world)

    def first_load(self):
        """Nothing goes wrong yet. By the way it is told which fail points the program has, if it has any."""
        process, out, log = self.world.popen("run", ["run", "--output", "json"], "list")
        status, said = process.wait(120), log.read_text(errors="replace")
        if status != 0:
            raise Wrong(f"the first run ended with {status}: {said[-2000:]} {out.read_text()[-3000:]}")
        found = set(re.findall(r"^fail point: (\S+)$", said, re.M))
        self.points = self.world.points = sorted(found | set(self.points))

    def wait(self, seconds):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if self.stops_early and self.history.violations:
                return
            time.sleep(0.2)

    def play(self):
        end = time.monotonic() + self.minutes * 60
        while True:
            left = end - time.monotonic()
            rounds = max(1, round(left / (ROUND_SECONDS + SETTLE_SECONDS)))
            self.round(max(45, left / rounds - SETTLE_SECONDS))
            if end - time.monotonic() < SETTLE_SECONDS + 45 or (self.stops_early and self.history.violations):
                return


def main():
    folder, minutes, seed, built, library = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), Path(sys.argv[4]), sys.argv[5]
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    torture = Torture(folder, minutes, seed, built, library)
    torture.stops_early = "--until-found" in sys.argv
    try:
        torture.play()
    except Wrong as error:
        torture.history.violation("the torture itself", str(error))
    finally:
        torture.world.end()
    found = write(torture)
    return 1 if found["violations"] else 0


if __name__ == "__main__":
    sys.exit(main())
