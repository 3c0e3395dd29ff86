#!/usr/bin/env python3
"""What the runs of scripts/faults.sh found: a table on stdout, and with --write docs/FAULTS.md.

scripts/faults.py FOLDER [--write]    FOLDER has each run's JSON: day-01.json …, fault-01-lost-day.json …
"""

import json
import os
import re
import sys
from pathlib import Path

REPO = Path(__file__).resolve().parent.parent
MOST_RAISED = 2


def raised(path):
    """The checks that warned or failed, each once, those before a publish first; and the errors of tasks beside them."""
    try:
        tasks = json.loads(path.read_text())["tasks"]
    except (OSError, ValueError, KeyError):
        log = path.with_suffix(".log")
        sys.exit(f"error: the run of {path.stem} said nothing\n{log.read_text() if log.exists() else 'it never began'}")
    checks, errors = {}, []
    for task in tasks:
        found = [check for check in task.get("checks") or [] if check["status"] != "passed"]
        table = task["task"].removesuffix(".checks").split(".")[-1]
        for check in found:
            name = check["check"] if check["check"] == table else f"{table}: {check['check']}"
            one = checks.setdefault(name, {"words": check["message"], "before": False, "status": check["status"]})
            one["before"] |= check["before_publish"]
        if task["status"] != "failed" or found:
            continue
        message = task["error"]["message"]
        # What a loader sets for how much of a table may vanish is looked at by the load itself.
        if "`shrink_limit`" in message:
            checks[f"{table}: shrink_limit"] = {"words": message, "before": True, "status": "failed"}
        else:
            errors.append(f"{task['task']}: {message}")
    return dict(sorted(checks.items(), key=lambda item: (not item[1]["before"], item[1]["status"] != "failed"))), errors


def story(name):
    """What happened and to which tables, as the fault's first comment says it."""
    lines = []
    for line in (REPO / "tests/faults" / f"{name}.sql").read_text().splitlines():
        if not line.startswith("-- "):
            break
        lines.append(line[3:])
    return " ".join(lines).split(" Tables: ")


def words(name, check):
    """A check's message without its name before it."""
    text = check["words"]
    for prefix in (f"{name}: ", f"{name.split(': ')[-1]}: ", f"sql/checks/{name}.sql "):
        text = text.removeprefix(prefix)
    return text


def main():
    folder = Path(sys.argv[1])
    days = sorted(folder.glob("day-*.json"))
    clean = {}
    for path in [*days, folder / "fault-00-none.json"]:
        checks, errors = raised(path)
        if errors:
            sys.exit(f"error: the run of {path.stem} went wrong without a fault: {errors[0]}")
        for name, check in checks.items():
            clean.setdefault(name, []).append((path.stem, check))
    count = sum(len(found) for found in clean.values())

    rows, missed = [], []
    chosen = os.environ.get("FAULTS", "").split()
    for name in sorted(path.stem for path in (REPO / "tests/faults").glob("*.sql")):
        if chosen and name.split("-")[0] not in chosen:
            continue
        checks, errors = raised(folder / f"fault-{name}.json")
        # What a day without a fault raises too has found nothing.
        checks = {key: check for key, check in checks.items() if not any(day == "fault-00-none" for day, _ in clean.get(key, []))}
        rows.append((name, checks, errors))
        if not checks:
            missed.append(name)
        print(f"{'✓' if checks else '✗'} {name}")
        for key, check in checks.items():
            print(f"    {key}{' (before its publish)' if check['before'] else ''}: {words(key, check)}")
        for error in errors:
            print(f"    the task failed: {error}")

    print(f"{len(days)} clean days: {count} raised")
    for name, found in clean.items():
        for day, check in found:
            print(f"    {day}  {name}: {words(name, check)}")
    print(f"{len(rows)} faults: {len(rows) - len(missed)} found")
    if "--write" in sys.argv:
        write(rows, missed, clean, count, len(days))
    if missed:
        sys.exit(f"error: no check found {', '.join(missed)}")
    if count > MOST_RAISED:
        sys.exit(f"error: {count} checks were raised on clean days, and at most {MOST_RAISED} may be")


def write(rows, missed, clean, count, days):
    path = REPO / "docs/FAULTS.md"
    lines = [
        f"{len(rows) - len(missed)} of {len(rows)} faults were found. On {days} clean days, and on the one more that the faults had, "
        + ("no check was raised." if count == 0 else f"{count} were raised:" if count > 1 else "one was raised:")
    ]
    for name, found in clean.items():
        lines += [f"- {day.replace('-', ' ')}: `{name}`: {words(name, check)}" for day, check in found]
    lines += ["", "| | what happened | found by, and in its words | also by |", "| --- | --- | --- | --- |"]
    for name, checks, _ in rows:
        what, tables = story(name)
        fault = f"[{name[:2]}](../tests/faults/{name}.sql) | {what} *({tables})*"
        if not checks:
            lines.append(f"| {fault} | **nothing** | |")
            continue
        (first, check), *others = checks.items()
        when = ", before its publish" if check["before"] else ""
        also = ", ".join(f"`{other}`" for other, _ in others)
        lines.append(f"| {fault} | `{first}`{when}: {words(first, check)} | {also} |")
    block = "<!-- results: written by scripts/faults.sh --write -->\n" + "\n".join(lines) + "\n<!-- end of results -->"
    path.write_text(re.sub(r"<!-- results.*<!-- end of results -->", lambda _: block, path.read_text(), flags=re.S))


if __name__ == "__main__":
    main()
