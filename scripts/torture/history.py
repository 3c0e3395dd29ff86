"""What was done, what was found, and when."""

import json
import threading
import time
from collections import Counter

# Beyond this the rest is more of the same.
MOST = 40


class History:
    """Faults and violations of all rounds. Each violation becomes a file with what was done before it."""

    def __init__(self, folder):
        self.folder, self.lock = folder, threading.Lock()
        self.begun, self.faults, self.violations, self.counts, self.round = time.time(), [], [], Counter(), 0
        (folder / "violations").mkdir(parents=True, exist_ok=True)
        self.file = (folder / "history.jsonl").open("a")

    def write(self, **what):
        self.file.write(json.dumps({"at": round(time.time() - self.begun, 2), "round": self.round, **what}, default=str) + "\n")
        self.file.flush()

    def begin(self, kind, detail=""):
        """A fault; it is over when `end` is told so."""
        fault = {"kind": kind, "round": self.round, "detail": detail, "begun": time.time(), "ended": None}
        with self.lock:
            self.faults.append(fault)
            self.write(fault=kind, detail=detail)
        return fault

    def end(self, fault, note=None):
        with self.lock:
            fault["ended"] = time.time()
            if note:
                fault["detail"] += f" ({note})"
                self.write(after=fault["kind"], note=note)

    def count(self, what, times=1):
        with self.lock:
            self.counts[what] += times

    def clock_jumped(self):
        """The control database's, in this round, by as much as a lease lasts: then its holder passes for dead, although it goes on. What it
        publishes is fenced by the ledger."""
        return any(fault["kind"] == "control clock" and fault["round"] == self.round for fault in self.faults)

    def violation(self, invariant, what):
        with self.lock:
            number = len(self.violations) + 1
            found = {"number": number, "round": self.round, "seconds": round(time.time() - self.begun, 2),
                     "at": time.strftime("%H:%M:%S", time.gmtime()), "invariant": invariant, "what": what}
            self.violations.append(found)
            self.write(violation=invariant, what=what)
            if number > MOST:
                return
            lines = [f"{invariant}: {what}", f"round {self.round}, {found['seconds']} s after the beginning, {found['at']} UTC", "", "done before:"]
            for fault in self.faults[-25:]:
                till = "still" if fault["ended"] is None else f"{fault['ended'] - self.begun:8.2f} s"
                lines.append(f"  {fault['begun'] - self.begun:8.2f} s to {till}  {fault['kind']} {fault['detail']}")
            (self.folder / f"violations/{number:02}.txt").write_text("\n".join(lines) + "\n")
        print(f"VIOLATION {invariant}: {what}", flush=True)
