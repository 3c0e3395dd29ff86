"""The demo's services over HTTP: daily exchange rates, and a geocoder. Python's own library alone.

    scripts/demo-services.py FOLDER             serves on a free port of loopback, until it is ended
    scripts/demo-services.py --check FOLDER     holds rows of a warehouse (on stdin) against what it answers, and what it
                                                counted in FOLDER against what it grants

FOLDER gets the file `shell` with the address and the token once it serves, and `asked`, which has the service's own
count: one line of JSON for each of its endpoints, with what it answered and the most requests it saw in any second.
What it answers follows from what is asked, so that the same question has the same answer on each day.
"""

import hashlib
import json
import os
import secrets
import sys
import threading
import time
from collections import Counter, deque
from datetime import date, timedelta
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

CURRENCIES = "AUD BRL CAD CHF CLP CNY CZK DKK GBP HUF IDR INR JPY KRW KWD MXN NOK NZD PLN SEK SGD THB TRY USD ZAR".split()
PAGE = 500
# What it grants; the project asks for less, so that nothing is refused.
A_SECOND = {"rates": 20, "geocode": 60}
PROJECT_ASKS = {"rates": 10, "geocode": 50}


def number(*words):
    return int.from_bytes(hashlib.sha256(" ".join(words).encode()).digest()[:8], "big")


def rates(first, end):
    """Each currency of each day from `first` to before `end`."""
    day = first
    while day < end:
        for currency in CURRENCIES:
            usual = 10 ** (number(currency) % 4) * (1 + number(currency, "usual") % 9000 / 10000)
            moved = 1 + (number(currency, day.isoformat()) % 400 - 200) / 10000
            yield {"day": day.isoformat(), "currency": currency, "rate": f"{usual * moved:.6f}"}
        day += timedelta(days=1)


def place(address):
    """Where an address is; one of ten is known to nobody."""
    if number(address) % 10 == 0:
        return None
    return number(address, "latitude") % 10**7 / 10**5 - 50, number(address, "longitude") % 10**7 / 10**5 - 50


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
        """Where an address is. One of ten is known to nobody."""
        address = query["q"]
        found = place(address)
        if found is None:
            return 404, {"error": "nobody knows this address"}
        confidence = number(address, "confidence") % 50 / 100 + 0.5
        return 200, {"place": {"lat": found[0], "lon": found[1]}, "confidence": confidence}

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


def check(folder):
    """Rows: `fx DAY CURRENCY RATE`, `place ADDRESS LATITUDE LONGITUDE` (empty: unknown), `restaurants COUNT`."""
    fx, places, restaurants = {}, [], None
    for line in sys.stdin.read().splitlines():
        kind, _, rest = line.partition(" ")
        if kind == "fx":
            day, currency, rate = rest.split(" ")
            fx[day, currency] = Decimal(rate)
        elif kind == "place":
            address, latitude, longitude = rest.rsplit(" ", 2)
            places.append((address, (float(latitude), float(longitude)) if latitude else None))
        elif kind == "restaurants":
            restaurants = int(rest)
    days = sorted({day for day, _ in fx})
    first, last = date.fromisoformat(days[0]), date.fromisoformat(days[-1])
    expected = {(row["day"], row["currency"]): Decimal(row["rate"]) for row in rates(first, last + timedelta(days=1))}
    assert first == date(2026, 1, 1), first
    assert fx == expected, f"{len(fx)} rates, {len(expected)} expected"
    assert len(places) == restaurants, f"{len(places)} places of {restaurants} restaurants"
    for address, found in places:
        known = place(address)
        assert (found is None) == (known is None), "unknown"
        assert found is None or all(abs(a - b) < 1e-9 for a, b in zip(found, known)), "another place"
    assert any(found is None for _, found in places) and any(found for _, found in places), "not both kinds"
    asked = {line["endpoint"]: line for line in map(json.loads, (Path(folder) / "asked").read_text().splitlines())}
    for name, most in PROJECT_ASKS.items():
        assert asked[name]["most_in_a_second"] <= most, f"{name}: {asked[name]}"
        assert not set(asked[name]["answered"]) - {"200", "404"}, f"{name}: {asked[name]}"
    unknown = sum(found is None for _, found in places)
    print(f"services: {len(fx)} rates, {len(places)} places, {unknown} of them unknown; {json.dumps(asked)}", file=sys.stderr)


if __name__ == "__main__":
    check(sys.argv[2]) if sys.argv[1] == "--check" else main(sys.argv[1])
