#!/usr/bin/env python3
"""A service for `scripts/bench.sh --http`: pages of 1,000 records, led on by a cursor. Python's own library alone.

    scripts/bench-http.py RECORDS FILE     serves on a free port of loopback until it is ended; FILE gets the address

Pages are made before it serves, so that its own time is little: each ends where the next one begins, and the last one says so.
"""

import asyncio
import sys
from pathlib import Path

PAGE = 1_000


def record(number):
    return (
        f'{{"id": {number}, "customer": {{"id": {number * 7919 % 100_003}, "name": "customer {number % 4_001}"}}, '
        f'"amount": {number % 99_991}.{number % 100:02}, "currency": "{("EUR", "USD", "CHF")[number % 3]}", '
        f'"paid": {("true", "false")[number % 2]}, "at": "2026-01-{number % 28 + 1:02}T{number % 24:02}:{number % 60:02}:00Z", '
        f'"note": "the {number}th of them, \\u00e9 {number * 31 % 7_919}"}}'
    )


def page(first, records):
    last = min(first + PAGE, records)
    following = f'"{last}"' if last < records else "null"
    body = f'{{"data": [{", ".join(record(number) for number in range(first, last))}], "next": {following}, "total": {records}}}'
    head = f"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    return (head + body).encode()


async def main():
    records, where = int(sys.argv[1]), Path(sys.argv[2])
    pages = {first: page(first, records) for first in range(0, records, PAGE)}

    async def serve(reader, writer):
        try:
            while line := await reader.readline():
                _, target, _ = line.decode().split(" ", 2)
                while (await reader.readline()).strip():
                    pass
                _, _, after = target.partition("after=")
                writer.write(pages[int(after or 0)])
                await writer.drain()
        except ConnectionError:
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    made = where.with_suffix(".made")
    made.write_text(f"http://127.0.0.1:{port}\n")
    made.rename(where)
    await server.serve_forever()


asyncio.run(main())
