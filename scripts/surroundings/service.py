"""A service of the built binary: `barncat serve`."""

import json
import signal
import subprocess
import time
import urllib.request

from surroundings.waiting import Wrong, wait_for


class Service:
    """Started in `project` with `variables`; what it says goes into the file `log`."""

    def __init__(self, barncat, project, variables, log, stop_timeout, *options):
        self.log, self.stop_timeout, self.port = log, stop_timeout, None
        with log.open("wb") as said:
            self.process = subprocess.Popen(
                [barncat, "serve", "--listen", "127.0.0.1:0", "--log-format", "json", "--stop-timeout", f"{stop_timeout}s", *options],
                cwd=project, env=variables, stdin=subprocess.DEVNULL, stdout=said, stderr=said)

    def lines(self):
        """All that it said by now."""
        lines = self.log.read_text(errors="replace").split("\n")[:-1]
        return [json.loads(line) if line.startswith("{") else {"message": line, "level": "NO JSON"} for line in lines]

    def says(self, message, seconds=60):
        def said():
            if self.process.poll() is not None:
                raise Wrong(f"{self.log.name}: it ended before it said `{message}`")
            return next((line for line in self.lines() if line.get("message", "").startswith(message)), None)
        return wait_for(f"{self.log.name} says `{message}`", said, seconds)

    def get(self, path):
        """What it answers; `None`: nothing."""
        self.port = self.port or self.says("serves")["listen"].rsplit(":", 1)[1]
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=20) as answer:
                return answer.read().decode()
        except OSError:
            return None

    def until_it_leads(self):
        """How long that took, in seconds."""
        begun = time.monotonic()
        self.says("this service leads")
        return time.monotonic() - begun

    def is_alive(self):
        return self.process.poll() is None

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self, grace=15):
        """By SIGTERM. How long it took, in seconds; it must end well and in time."""
        begun = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        try:
            status = self.process.wait(self.stop_timeout + grace)
        except subprocess.TimeoutExpired:
            raise Wrong(f"{self.log.name}: it did not stop within {self.stop_timeout + grace} s") from None
        if status != 0:
            raise Wrong(f"{self.log.name}: it ended with status {status} after SIGTERM")
        return time.monotonic() - begun
