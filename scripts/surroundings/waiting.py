"""Waiting for a state, with a limit."""

import time


class Wrong(Exception):
    """What ends all of it at once."""


def wait_for(what, is_it, seconds=60, pause=0.05):
    """Waits until something is so, and returns what it then is."""
    end = time.monotonic() + seconds
    while True:
        answer = is_it()
        if answer:
            return answer
        if time.monotonic() > end:
            raise Wrong(f"not so within {seconds} s: {what}")
        time.sleep(pause)
