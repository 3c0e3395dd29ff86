"""What is done to services, servers, network, disk, rights and clocks. One stream of faults is a list that follows from the seed alone."""

import os
import random as chance
import signal
import subprocess
import time

from observers import Watcher
from surroundings import Wrong
from tables import literal, quoted

HOUR = 3600

# Kinds with how often each comes; in two streams, which go on side by side.
NETWORK = {
    "cut": 4, "delay": 2, "stall": 2, "half open": 2, "refuse": 2, "lose COMMIT": 3, "lose the answer to COMMIT": 4, "S3 500": 2, "S3 503": 2,
    "S3 slow": 1, "S3 lost answer": 2, "Slack down": 1, "sessions ended": 2, "SIGKILL": 4, "SIGSTOP": 3, "SIGTERM": 2, "another service": 2,
}
SERVERS = {
    "restart source": 2, "crash source": 2, "restart warehouse": 2, "crash warehouse": 3, "restart control": 2, "crash control": 2, "crash primary": 1,
    "promotion": 1, "recovery conflict": 3, "replay paused": 1, "disk full": 2, "out of connections": 2, "permission revoked": 2, "reader holds": 3,
    "old snapshot": 2, "own clock": 1, "control clock": 1, "schema change": 4, "table rewritten": 2,
}
PLACES = ("source", "warehouse", "control", "s3")
ROLES = {"source": ("primary", "barncat_source"), "warehouse": ("warehouse", "barncat_warehouse"), "control": ("control", "barncat_control")}
SERVER_OF = {"source": "standby", "warehouse": "warehouse", "control": "control"}


def plan(seed, kinds, count=400):
    """The stream: kind, a number that decides the rest, and the pause after it."""
    random = chance.Random(seed)
    # Each kind once before chance decides, so that a short round has most of them.
    first = random.sample(list(kinds), len(kinds))
    rest = random.choices(list(kinds), list(kinds.values()), k=count)
    return [(kind, random.random(), random.uniform(0.2, 3.0)) for kind in first + rest]


class Faults(Watcher):
    """Does the faults of one stream, one after the other."""

    def __init__(self, world, name, kinds, start=0):
        super().__init__(world)
        stream = plan(f"{world.seed}/{name}", kinds)
        # Round after round goes on in one list: what the last did not come to is the next one's.
        self.stream, self.name, self.place = stream, name, start

    def look(self):
        kind, number, self.pause = self.stream[self.place % len(self.stream)]
        self.place += 1
        if kind.startswith("S3") and not self.world.project.is_s3:
            self.pause = 0
            return
        self.random = chance.Random(number)
        try:
            getattr(self, kind.replace(" ", "_").lower())(kind)
        except (Wrong, subprocess.TimeoutExpired) as error:
            # A server that another fault has taken away meanwhile; told, and no finding.
            self.history.write(not_done=kind, why=str(error)[:300])
            self.history.count("faults that could not be done")

    def during(self, kind, detail, seconds, begin, end):
        fault = self.history.begin(kind, detail)
        try:
            begin()
            self.ended.wait(seconds)
        finally:
            end()
            self.history.end(fault)

    # ---- the network -------------------------------------------------------------------------------

    def proxy(self, kind, mode, places=PLACES, seconds=(1, 6), value=0.0):
        place = self.random.choice([place for place in places if place != "s3" or self.world.project.is_s3])
        proxy = self.world.proxies[place]
        seconds = self.random.uniform(*seconds)
        self.during(kind, f"{place}, {seconds:.1f} s", seconds, lambda: proxy.set(mode, value), lambda: proxy.set("pass"))
        return proxy

    def cut(self, kind):
        place = self.random.choice([place for place in (*PLACES, "warehouse") if place != "s3" or self.world.project.is_s3])
        fault = self.history.begin(kind, place)
        self.world.network.call(self.world.proxies[place].cut)
        self.history.end(fault)

    def delay(self, kind):
        self.proxy(kind, "delay", value=self.random.uniform(0.05, 0.4))

    def stall(self, kind):
        self.proxy(kind, "stall", seconds=(2, 20))

    def half_open(self, kind):
        proxy = self.proxy(kind, "half_open", seconds=(2, 10))
        # What was lost is never answered: as of a network, somebody notices in the end.
        self.world.network.call(proxy.cut)

    def refuse(self, kind):
        self.proxy(kind, "refuse", seconds=(1, 8))

    def lose_commit(self, kind):
        self.proxy(kind, "lose_commit", ("warehouse", "warehouse", "control"), (3, 8))

    def lose_the_answer_to_commit(self, kind):
        self.proxy(kind, "lose_answer", ("warehouse", "warehouse", "control"), (3, 8))

    def s3_500(self, kind):
        self.proxy(kind, "status", ("s3",), (1, 5), 500)

    def s3_503(self, kind):
        self.proxy(kind, "status", ("s3",), (1, 5), 503)

    def s3_slow(self, kind):
        self.proxy(kind, "delay", ("s3",), (2, 6), 0.8)

    def s3_lost_answer(self, kind):
        self.proxy(kind, "lose_response", ("s3",), (1, 4))

    def slack_down(self, kind):
        self.proxy(kind, "refuse", ("slack",), (3, 10))

    def sessions_ended(self, kind):
        place = self.random.choice(list(ROLES))
        fault = self.history.begin(kind, place)
        self.world.servers.ask(SERVER_OF[place], f"SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE usename = '{ROLES[place][1]}'")
        self.history.end(fault)

    # ---- processes ---------------------------------------------------------------------------------

    def service(self):
        with self.world.lock:
            alive = [service for service in self.world.services if service.is_alive()]
        return self.random.choice(alive) if alive else self.world.start_service()

    def gone(self, service):
        with self.world.lock:
            self.world.services = [other for other in self.world.services if other is not service]

    def sigkill(self, kind):
        service = self.service()
        fault = self.history.begin(kind, service.log.name)
        self.gone(service)
        service.kill()
        self.ended.wait(self.random.uniform(0, 3))
        self.world.start_service()
        self.history.end(fault)

    def sigstop(self, kind):
        """It stands still, perhaps in the midst of a publish, and goes on."""
        service, seconds = self.service(), self.random.choice([2, 5, 12, 20])
        self.during(kind, f"{service.log.name}, {seconds} s", seconds, lambda: service.process.send_signal(signal.SIGSTOP),
                    lambda: service.process.send_signal(signal.SIGCONT))

    def sigterm(self, kind):
        service = self.service()
        fault = self.history.begin(kind, service.log.name)
        self.gone(service)
        self.world.start_service()
        try:
            service.process.send_signal(signal.SIGCONT)
            # With a server away it may take longer than it was told; it must end well all the same.
            self.history.end(fault, f"ended after {service.stop(grace=40):.1f} s")
        except Wrong as error:
            self.history.violation("exit status is honest", str(error))
            service.process.kill()

    def another_service(self, kind):
        """Two, or three, at once; then one less."""
        with self.world.lock:
            is_enough = len(self.world.services) >= 3
        if is_enough:
            return self.sigterm("SIGTERM")
        fault = self.history.begin(kind)
        self.world.start_service()
        return self.history.end(fault)

    # ---- the databases -----------------------------------------------------------------------------

    def restart(self, kind, server, is_crash):
        away = self.random.choice([0, 0, 2, 6])
        fault = self.history.begin(kind, f"away for {away} s")
        with self.world.lock:
            self.world.servers.restart(server, is_crash, away)
        self.history.end(fault)

    def restart_source(self, kind):
        self.restart(kind, "standby", False)

    def crash_source(self, kind):
        self.restart(kind, "standby", True)

    def restart_warehouse(self, kind):
        self.restart(kind, "warehouse", False)

    def crash_warehouse(self, kind):
        self.restart(kind, "warehouse", True)

    def restart_control(self, kind):
        self.restart(kind, "control", False)

    def crash_control(self, kind):
        self.restart(kind, "control", True)

    def crash_primary(self, kind):
        self.restart(kind, "primary", True)

    def promotion(self, kind):
        """The primary is lost with what it had not sent; for a while the source is no standby; then it has one again."""
        fault = self.history.begin(kind)
        servers, world = self.world.servers, self.world
        with world.lock:
            servers.run("stop", "primary", "--immediate")
            servers.run("promote", "standby")
        self.ended.wait(self.random.uniform(0, 6))
        with world.lock:
            servers.run("succeed", "standby")
            world.look_again()
        for table in world.project.tables:
            with table.shape:
                self.look_at_shape(table)
        self.history.end(fault)

    def standby(self, settings):
        for setting in settings:
            self.world.servers.must("standby", f"ALTER SYSTEM {setting}")
        self.world.servers.must("standby", "SELECT pg_reload_conf()")

    def recovery_conflict(self, kind):
        """Replay throws reads out: it waits for nobody, and the primary knows nothing of them."""
        table = self.random.choice([table for table in self.world.project.tables if table.strict])
        fault = self.history.begin(kind, table.name)
        names = ("max_standby_streaming_delay", "hot_standby_feedback")
        self.standby([f"SET {name} = '{value}'" for name, value in zip(names, ("50ms", "off"))])
        try:
            for _ in range(4):
                self.world.servers.ask("primary", f"VACUUM (FREEZE) {table.place}")
                self.ended.wait(0.4)
                # A column that nobody reads: the lock is what hurts.
                self.world.servers.ask("primary", f"BEGIN; LOCK TABLE {table.place}; SELECT pg_sleep(0.3); COMMIT")
        finally:
            self.standby([f"RESET {name}" for name in names])
            self.history.end(fault)

    def replay_paused(self, kind):
        ask, seconds = self.world.servers.ask, self.random.uniform(2, 8)
        self.during(kind, f"{seconds:.1f} s", seconds, lambda: ask("standby", "SELECT pg_wal_replay_pause()"),
                    lambda: ask("standby", "SELECT pg_wal_replay_resume()"))

    def out_of_connections(self, kind):
        place, seconds = self.random.choice(list(ROLES)), self.random.uniform(2, 8)
        server, role = ROLES[place]
        left = self.random.choice([0, 1, 3])
        must = self.world.servers.must
        self.during(kind, f"{place}: {left} left, {seconds:.1f} s", seconds, lambda: must(server, f"ALTER ROLE {role} CONNECTION LIMIT {left}"),
                    lambda: must(server, f"ALTER ROLE {role} CONNECTION LIMIT -1"))

    def permission_revoked(self, kind):
        seconds, must = self.random.uniform(2, 8), self.world.servers.must
        table = self.random.choice(self.world.project.tables)
        choices = [("primary", f"SELECT ON {table.place}", "barncat_source"), ("warehouse", "USAGE, CREATE ON SCHEMA raw", "barncat_warehouse")]
        server, what, role = self.random.choice(choices)
        self.during(kind, f"{what} of {role}, {seconds:.1f} s", seconds, lambda: must(server, f"REVOKE {what} FROM {role}"),
                    lambda: must(server, f"GRANT {what} TO {role}"))

    def reader_holds(self, kind):
        """Somebody reads a table in a transaction that stays open: its lock is in the way of a publish."""
        table, seconds = self.random.choice(self.world.project.tables), self.random.uniform(2, 12)
        self.sleeps(kind, f"{table.name}, {seconds:.1f} s", f"BEGIN; SELECT count(*) FROM raw.{quoted(table.name)}; SELECT pg_sleep({seconds:.1f}); COMMIT")

    def old_snapshot(self, kind):
        """Somebody's snapshot is older than what is published meanwhile, and what they see must not change."""
        table, seconds = self.random.choice(self.world.project.tables), self.random.uniform(2, 12)
        place = f"raw.{quoted(table.name)}"
        sql = (f"BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1 FROM barncat.loads LIMIT 1; SELECT pg_sleep({seconds:.1f}); "
               f"SELECT count(*) FROM {place}; COMMIT")
        answer = self.sleeps(kind, f"{table.name}, {seconds:.1f} s", sql)
        if answer and answer.splitlines()[-1] == "0":
            self.history.violation("tables are never empty", f"{table.name} is empty for who has an older snapshot")

    def sleeps(self, kind, detail, sql):
        fault = self.history.begin(kind, detail)
        try:
            return self.world.servers.ask("warehouse", sql)
        except Wrong:
            # It is not loaded yet.
            return None
        finally:
            self.history.end(fault)

    # ---- the disk, the clocks, the tables ------------------------------------------------------------

    def disk_full(self, kind):
        """Not a byte is left where the stage lies, the local one and S3's."""
        filler, seconds = self.world.disk / "filler", self.random.uniform(2, 8)

        def fill():
            with filler.open("wb") as file:
                for size in (1 << 20, 1 << 12):
                    while True:
                        try:
                            os.write(file.fileno(), bytes(size))
                        except OSError:
                            break

        self.during(kind, f"{seconds:.1f} s", seconds, fill, lambda: filler.unlink(missing_ok=True))

    def own_clock(self, kind):
        """That of barncat's machine goes wrong, in both directions, and right again."""
        ahead = self.random.choice([HOUR, 24 * HOUR, 60])
        fault = self.history.begin(kind, f"{ahead} s")
        for step in (ahead, -ahead, 0):
            self.world.clock.set(step)
            self.ended.wait(3)
        self.world.clock.set(0)
        self.history.end(fault)

    def control_clock(self, kind):
        """The control database's jumps ahead, back to what it has shown before, and ahead again."""
        clock, step = self.world.servers.clock, self.random.choice([60, HOUR])
        fault, ahead = self.history.begin(kind, f"{step} s"), clock.ahead + step
        for now in (ahead, ahead - step // 2, ahead):
            clock.set(now)
            self.ended.wait(3)
        self.history.end(fault)

    def schema_change(self, kind):
        table = self.random.choice([table for table in self.world.project.tables if table.takes_changes])
        with table.shape:
            what, sql = table.change_schema()
            fault = self.history.begin(kind, f"{table.name}: {what}")
            try:
                done = self.world.servers.ask("primary", sql)
            except Wrong:
                done = None
            if done is None:
                self.look_at_shape(table)
            self.history.end(fault, None if done is not None else "not done")

    def look_at_shape(self, table):
        names = self.world.servers.must("primary", "SELECT string_agg(attname, chr(10)) FROM pg_attribute WHERE attnum > 0 AND NOT attisdropped AND "
                                        f"attrelid = {literal(table.place)}::regclass")
        table.shape_as(set(names.split("\n")))

    def table_rewritten(self, kind):
        table = self.random.choice([table for table in self.world.project.tables if table.strict])
        fault, started = self.history.begin(kind, table.name), time.monotonic()
        self.world.servers.ask("primary", f"VACUUM FULL {table.place}")
        self.history.end(fault, f"{time.monotonic() - started:.1f} s")
