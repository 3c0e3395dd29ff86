"""What is done to the service and to its servers."""

import os
import time

from surroundings import Wrong
from world import EVERY

HOUR = 3600

AT_WORK = "SELECT count(*) FROM barncat_control.tasks WHERE ended_at IS NULL"


class Fault:
    """One, from when to when: by the machine's clock."""

    def __init__(self, name):
        self.name, self.begun, self.ended = name, time.time(), None


class Faults:
    """All that were done, and how to do them."""

    def __init__(self, world):
        self.world, self.done, self.takeovers, self.stops = world, [], [], []

    def do(self, name):
        fault = Fault(name)
        self.done.append(fault)
        print(f"  {name}", flush=True)
        getattr(self, name.split(":")[0].replace(" ", "_"))(*name.split(":")[1:])
        fault.ended = time.time()

    # ---- the service -------------------------------------------------------------------------------

    def replaced(self, end):
        service = self.world.start()
        end()
        self.takeovers.append(service.until_it_leads())

    def in_a_run(self):
        """In the middle of a run, if one comes along."""
        end = time.monotonic() + 2 * EVERY
        while time.monotonic() < end and self.world.servers.ask("control", AT_WORK) in (None, "0"):
            pass

    def kill(self):
        """SIGKILL in a run, and a new one."""
        self.in_a_run()
        self.world.service.kill()
        self.replaced(lambda: None)

    def stop(self):
        """SIGTERM in a run, and a new one when it has ended."""
        self.in_a_run()
        self.stops.append(self.world.service.stop())
        self.replaced(lambda: None)

    def roll(self):
        """A rolling deployment: the new one stands by before the old one is stopped."""
        old = self.world.service

        def end():
            self.world.service.says("another service leads")
            self.stops.append(old.stop())

        self.replaced(end)

    # ---- the databases -----------------------------------------------------------------------------

    def restart(self, server, how, away="0"):
        self.world.servers.restart(server, how == "crash", float(away))

    # ---- the disk ----------------------------------------------------------------------------------

    def disk_full(self, seconds="8"):
        """Not a byte is left where the stage lies."""
        filler = self.world.stage / "filler"
        try:
            with filler.open("wb") as file:
                for size in (1 << 20, 1 << 12):
                    while True:
                        try:
                            os.write(file.fileno(), bytes(size))
                        except OSError:
                            break
            time.sleep(float(seconds))
        finally:
            filler.unlink(missing_ok=True)

    # ---- the clocks --------------------------------------------------------------------------------

    def own_clock(self, seconds="6"):
        """The clock of the service's machine goes an hour wrong, in both directions, and right again."""
        for ahead in (HOUR, -HOUR, 0):
            self.world.clock.set(ahead)
            time.sleep(float(seconds))

    def control_clock(self, seconds="8"):
        """That of the control database jumps ahead by an hour, back, and ahead again. While it shows what it has shown before, nothing
        ticks: each moment ticks once."""
        clock, servers = self.world.servers.clock, self.world.servers
        ahead = clock.ahead + HOUR
        ticks = lambda: int(servers.must("control", "SELECT count(*) FROM barncat_control.ticks"))
        before = ticks()
        clock.set(ahead)
        time.sleep(float(seconds))
        during = ticks()
        clock.set(ahead - HOUR)
        time.sleep(float(seconds))
        after = ticks()
        clock.set(ahead)
        if not before < during:
            raise Wrong("nothing ticked after the control database's clock had jumped ahead")
        # One may have been taken just before the step.
        if after > during + 1:
            raise Wrong(f"{after - during} ticks of moments that had been, after the control database's clock was put back")
