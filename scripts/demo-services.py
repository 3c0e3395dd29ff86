#!/usr/bin/env python3
"""The demo's services over HTTP: daily exchange rates, and a geocoder. Python's own library alone.

    scripts/demo-services.py FOLDER             serves on a free port of loopback, until it is ended
    scripts/demo-services.py --check FOLDER N   holds rows of one of N warehouses (on stdin) against what it answers, and what it
                                                counted against what they may ask: each of an address once
    scripts/demo-services.py --count FOLDER     how often it was asked

FOLDER gets the file `shell` with the address and the token once it serves, and `asked`, which has the service's own
count: one line of JSON for each of its endpoints, with what it answered and the most requests it saw in any second.
What it answers follows from what is asked, so that the same question has the same answer each time; only the rates of a day
are there when the day (of UTC) is over.
"""

import hashlib
import json
import os
import secrets
import sys
import threading
import time
from collections import Counter, deque
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

CURRENCIES = "AUD BRL CAD CHF CLP CNY CZK DKK GBP HUF IDR INR JPY KRW KWD MXN NOK NZD PLN SEK SGD THB TRY USD ZAR".split()
FIRST_DAY = date(2026, 1, 1)
PAGE = 500
# What it grants; the project's own limits are lower, so that nothing is refused.
A_SECOND = {"rates": 20, "geocode": 60}
PROJECT_ASKS = {"rates": 10, "geocode": 50}


def number(*words):
    return int.from_bytes(hashlib.sha256(" ".join(words).encode()).digest()[:8], "big")


def rates(first, end):
    """Each currency of each day from `first` to before `end`, of days that are over."""
    end = min(end, datetime.now(timezone.utc).date())
    day = first
    while day < end:
        for currency in CURRENCIES:
            usual = 10 ** (number(currency) % 4) * (1 + number(currency, "usual") % 9000 / 10000)
            moved = 1 + (number(currency, day.isoformat()) % 400 - 200) / 10000
            yield {"day": day.isoformat(), "currency": currency, "rate": f"{usual * moved:.6f}"}
        day += timedelta(days=1)


def place(address):
    """Where an address is, and how sure that is; one of ten is known to nobody."""
    if number(address) % 10 == 0:
        return None
    latitude, longitude = (number(address, one) % 10**7 / 10**5 - 50 for one in ("latitude", "longitude"))
    return latitude, longitude, round(number(address, "confidence") % 50 / 100 + 0.5, 2)


class Granted:
    """Counts what is asked, and refuses what is too much in one second."""

    def __init__(self, folder):
        self.folder, self.lock = folder, threading.Lock()
        self.times = {name: deque() for name in A_SECOND}
        self.answered = {name: Counter() for name in A_SECOND}
        self.most = Counter()

    def take(self, name):
        with self.lock:
            now, times = time.monotonic(), self.times[name]
            while times and times[0] <= now - 1:
                times.popleft()
            if len(times) >= A_SECOND[name]:
                return False
            times.append(now)
            self.most[name] = max(self.most[name], len(times))
            return True

    def note(self, name, status):
        with self.lock:
            self.answered[name][str(status)] += 1
            lines = [
                json.dumps({"endpoint": name, "most_in_a_second": self.most[name], "answered": self.answered[name]})
                for name in A_SECOND
            ]
            beside = self.folder / "asked.new"
            beside.write_text("\n".join(lines) + "\n")
            beside.replace(self.folder / "asked")


class Service(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        parts = urlsplit(self.path)
        name = parts.path.removeprefix("/v1/")
        if name not in A_SECOND:
            return self.answer(None, 404, {"error": "there is no such endpoint"})
        if not secrets.compare_digest(self.headers.get("Authorization", ""), f"Bearer {self.server.token}"):
            return self.answer(name, 401, {"error": "who asks?"})
        if not self.server.granted.take(name):
            return self.answer(name, 429, {"error": "too many requests"}, {"Retry-After": "1"})
        query = {key: values[-1] for key, values in parse_qs(parts.query).items()}
        try:
            status, found = getattr(self, name)(query)
        except (KeyError, ValueError) as error:
            status, found = 400, {"error": f"wrong or missing: {error}"}
        self.answer(name, status, found)

    def rates(self, query):
        """A page of days; `after` is what the page before gave as `next`."""
        every = list(rates(date.fromisoformat(query["from"]), date.fromisoformat(query["to"])))
        start = int(query.get("after", 0))
        following = start + PAGE if start + PAGE < len(every) else None
        return 200, {"total": len(every), "next": following, "rates": every[start : start + PAGE]}

    def geocode(self, query):
        found = place(query["q"])
        if found is None:
            return 404, {"error": "nobody knows this address"}
        latitude, longitude, confidence = found
        return 200, {"place": {"lat": latitude, "lon": longitude}, "confidence": confidence}

    def answer(self, name, status, found, headers=None):
        body = json.dumps(found).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        for header, value in (headers or {}).items():
            self.send_header(header, value)
        self.end_headers()
        if name:
            self.server.granted.note(name, status)
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128


def main(folder):
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    server = Server(("127.0.0.1", 0), Service)
    server.token, server.granted = secrets.token_hex(16), Granted(folder)
    beside = folder / "shell.new"
    beside.touch(mode=0o600)
    beside.write_text(
        f"export DEMO_SERVICES_PID='{os.getpid()}'\n"
        f"export DEMO_SERVICES_URL='http://127.0.0.1:{server.server_port}/v1'\n"
        f"export DEMO_SERVICES_TOKEN='{server.token}'\n"
    )
    beside.replace(folder / "shell")
    try:
        server.serve_forever()
    finally:
        (folder / "shell").unlink(missing_ok=True)


def check(folder, warehouses):
    """Lines of JSON: `{"rate": [DAY, CURRENCY, RATE]}`, `{"place": [ID, ADDRESS, LATITUDE, LONGITUDE, CONFIDENCE]}`, with numbers
    as text, and what is to have a place: `{"restaurant": [ID, ADDRESS]}`."""
    rows = {"rate": [], "place": [], "restaurant": []}
    for line in sys.stdin:
        for kind, row in json.loads(line).items():
            rows[kind].append(row)
    # Up to the last day that was over when it was asked, which can be the day before yesterday by now.
    days = sorted({day for day, _, _ in rows["rate"]})
    assert days and days[0] == FIRST_DAY.isoformat(), days[:1]
    last = date.fromisoformat(days[-1])
    assert datetime.now(timezone.utc).date() - last <= timedelta(days=2), last
    expected = [(row["day"], row["currency"], Decimal(row["rate"])) for row in rates(FIRST_DAY, last + timedelta(days=1))]
    found = sorted((day, currency, Decimal(rate)) for day, currency, rate in rows["rate"])
    assert found == sorted(expected), f"{len(found)} rates, {len(expected)} expected"
    assert rows["restaurant"], "no restaurants"
    expected = [(id, address, *(place(address) or (None, None, None))) for id, address in rows["restaurant"]]
    number_of = lambda text: None if text is None else float(text)
    found = [(id, address, *map(number_of, values)) for id, address, *values in rows["place"]]
    wrong = set(found) ^ set(expected)
    assert len(found) == len(expected) and not wrong, f"{len(found)} places, {len(expected)} expected; {sorted(wrong)[:3]}"
    unknown = sum(row[2] is None for row in found)
    assert 0 < unknown < len(found), f"{unknown} of {len(found)} addresses are known to nobody"
    for name, most in PROJECT_ASKS.items():
        asked = told(folder)[name]
        assert asked["most_in_a_second"] <= most, asked
        assert not set(asked["answered"]) - {"200", "404"}, asked
    asked = sum(told(folder)["geocode"]["answered"].values())
    assert asked == len(found) * int(warehouses), f"{asked} addresses were asked about"
    print(f"services: {len(rows['rate'])} rates, {len(found)} places, {unknown} of them known to nobody", file=sys.stderr)


def told(folder):
    """What it counted, by endpoint."""
    lines = map(json.loads, (Path(folder) / "asked").read_text().splitlines())
    return {line["endpoint"]: line for line in lines}


def count(folder):
    """How often each endpoint was asked: `rates 24 times (at most 10 in a second), geocode 80 times (…)`."""
    one = "{} {} times (at most {} in a second)"
    lines = told(folder).items()
    print(", ".join(one.format(name, sum(line["answered"].values()), line["most_in_a_second"]) for name, line in lines))


if __name__ == "__main__":
    commands = {"--check": check, "--count": count}
    command, arguments = (commands[sys.argv[1]], sys.argv[2:]) if sys.argv[1] in commands else (main, sys.argv[1:])
    command(*arguments)
