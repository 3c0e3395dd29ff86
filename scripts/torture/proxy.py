"""A network that misbehaves: a proxy before each server, in one event loop of its own."""

import asyncio
import threading
from collections import Counter

# The protocol's message for the query COMMIT: kind, length, text.
COMMIT = b"Q\0\0\0\x0bCOMMIT\0"

METHODS = (b"GET ", b"PUT ", b"POST ", b"HEAD ", b"DELETE ")

CHUNK = 1 << 16

PAUSE = 0.02


class Network:
    """The loop that all proxies live in."""

    def __init__(self):
        self.loop = asyncio.new_event_loop()
        threading.Thread(target=self.loop.run_forever, daemon=True).start()

    def proxy(self, name, host, port):
        proxy = Proxy(name, (host, port))
        asyncio.run_coroutine_threadsafe(proxy.serve(), self.loop).result(10)
        return proxy

    def call(self, function, *arguments):
        self.loop.call_soon_threadsafe(function, *arguments)


class Proxy:
    """Carries bytes to `target`, or does to them what `mode` says:

    pass; delay (each chunk waits `seconds`); stall (nothing is carried, nothing is closed); half_open (what the client sends is
    taken and lost); refuse (new connections are reset, old ones too); lose_commit (the next COMMIT never comes to the server);
    lose_answer (the answer to the next COMMIT never comes back); status (an HTTP request is answered by `seconds` as its status);
    lose_response (an HTTP request is carried out, and its answer never comes back)."""

    def __init__(self, name, target):
        self.name, self.target, self.mode, self.seconds, self.port = name, target, "pass", 0.0, None
        self.open, self.counts = set(), Counter()

    async def serve(self):
        server = await asyncio.start_server(self.carry, "127.0.0.1", 0, limit=CHUNK)
        self.port = server.sockets[0].getsockname()[1]

    def set(self, mode, seconds=0.0):
        self.mode, self.seconds = mode, seconds

    def cut(self):
        """Resets all connections that are open. To be called in the loop."""
        for writer in list(self.open):
            self.counts["connections reset"] += 1
            writer.transport.abort()

    async def carry(self, client_reader, client_writer):
        self.open.add(client_writer)
        server_writer = None
        try:
            if self.mode == "refuse":
                self.counts["connections refused"] += 1
                return
            server_reader, server_writer = await asyncio.open_connection(*self.target, limit=CHUNK)
            self.open.add(server_writer)
            state = {}
            ways = [asyncio.ensure_future(self.forth(client_reader, client_writer, server_writer, state)),
                    asyncio.ensure_future(self.back(server_reader, client_writer, state))]
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
        except OSError:
            pass
        finally:
            for writer in (client_writer, server_writer):
                if writer:
                    self.open.discard(writer)
                    writer.transport.abort() if self.mode != "pass" else writer.close()

    async def forth(self, reader, client, server, state):
        while data := await reader.read(CHUNK):
            if not await self.passes():
                return
            if self.mode == "half_open":
                continue
            if self.mode == "lose_commit" and COMMIT in data:
                self.mode = "pass"
                self.counts["COMMITs that never came to the server"] += 1
                client.transport.abort()
                return
            if self.mode == "lose_answer" and COMMIT in data:
                self.mode = "pass"
                state["loses"] = True
            if data.startswith(METHODS):
                if self.mode == "status":
                    self.counts[f"HTTP requests answered by {int(self.seconds)}"] += 1
                    client.write(refusal(int(self.seconds)))
                    await client.drain()
                    return
                if self.mode == "lose_response":
                    self.mode = "pass"
                    state["loses"] = True
            server.write(data)
            await server.drain()

    async def back(self, reader, client, state):
        while data := await reader.read(CHUNK):
            if state.get("loses"):
                self.counts["answers to COMMIT or to a request that were lost"] += 1
                client.transport.abort()
                return
            if not await self.passes():
                return
            client.write(data)
            await client.drain()

    async def passes(self):
        """Waits as the mode says."""
        if self.mode == "delay":
            await asyncio.sleep(self.seconds)
        while self.mode == "stall":
            await asyncio.sleep(PAUSE)
        return self.mode != "refuse"


def refusal(status):
    """An answer of S3's that is no good."""
    code, reason = {503: ("SlowDown", "Slow Down"), 500: ("InternalError", "Internal Server Error")}[status]
    body = f'<?xml version="1.0" encoding="UTF-8"?><Error><Code>{code}</Code><Message>{reason}</Message></Error>'
    return (f"HTTP/1.1 {status} {reason}\r\nContent-Type: application/xml\r\nContent-Length: {len(body)}\r\n"
            f"Connection: close\r\n\r\n{body}").encode()
