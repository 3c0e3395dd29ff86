#!/usr/bin/env python3
"""Asks for pages at a steady rate, whatever the answers take: one after the other, each by a connection of its own.

    scripts/ask-pages.py ADDRESS RATE SECONDS < pages

Prints a line an answer: status, milliseconds from the moment when it was due, bytes, page. SECONDS 0: until it is killed.
"""

import http.client
import itertools
import sys
import threading
import time


def ask(address, page, due, lines):
    try:
        connection = http.client.HTTPConnection(address, timeout=60)
        connection.request("GET", page)
        answer = connection.getresponse()
        status, size = answer.status, len(answer.read())
        connection.close()
    except OSError:
        status, size = 0, 0
    lines.append(f"{status} {(time.monotonic() - due) * 1000:.2f} {size} {page}")


def main():
    address, rate, seconds = sys.argv[1], float(sys.argv[2]), float(sys.argv[3])
    pages = [line.strip() for line in sys.stdin if line.strip()]
    lines, threads, begun = [], [], time.monotonic()
    for nth in itertools.count():
        if seconds and nth >= rate * seconds:
            break
        due = begun + nth / rate
        time.sleep(max(0.0, due - time.monotonic()))
        thread = threading.Thread(target=ask, args=(address, pages[nth % len(pages)], due, lines), daemon=True)
        thread.start()
        threads.append(thread)
        threads = [thread for thread in threads if thread.is_alive()]
    for thread in threads:
        thread.join(60)
    print("\n".join(lines))


main()
