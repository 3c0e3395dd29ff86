"""What a run of the torture says at its end: for people, and as JSON."""

import json
from collections import Counter


def figures(torture):
    history, paths = torture.history, torture.paths
    network = Counter()
    for proxy in torture.world.proxies.values():
        network += proxy.counts
    faults = Counter(fault["kind"] for fault in history.faults)
    return {
        "seed": torture.seed, "minutes": torture.minutes, "rounds": history.round, "barncat": torture.version,
        "has_fail_points": bool(torture.points), "s3_rounds": torture.s3_rounds, "schemas_of_tables": torture.tables,
        "faults": dict(sorted(faults.items())), "faults_in_all": sum(faults.values()), "network": dict(sorted(network.items())),
        "points_killed_at": sorted({fault["detail"].split(" ")[0] for fault in history.faults if fault["kind"] == "kill at a point" and "killed" in fault["detail"]}),
        "runs": dict(paths.runs), "publishes": dict(sorted(paths.publishes.items())), "reasons_of_loads": dict(paths.reasons.most_common()),
        "recovery": dict(sorted(paths.taken.items())), "rows": dict(paths.late), "errors_of_attempts": dict(paths.errors.most_common(40)),
        "counts": dict(sorted(history.counts.items())), "violations": history.violations,
    }


def write(torture):
    found = figures(torture)
    (torture.folder / "report.json").write_text(json.dumps(found, indent=1, default=str) + "\n")
    lines = [f"seed {found['seed']}: {found['rounds']} rounds in {found['minutes']} minutes, {found['s3_rounds']} of them with a stage in S3",
             f"{found['faults_in_all']} faults:"]
    lines += columns(found["faults"])
    lines += ["what the network did:"] + columns(found["network"])
    lines += [f"{sum(found['runs'].values())} runs:"] + columns(found["runs"])
    lines += [f"{found['counts'].get('loads published', 0)} loads with {found['counts'].get('rows published', 0):,} rows were published:"]
    lines += columns(found["publishes"])
    lines += ["because of:"] + columns(found["reasons_of_loads"])
    lines += ["rows:"] + columns(found["rows"])
    lines += ["how often each way out was taken:"] + columns(found["recovery"])
    lines += [f"fail points at which a process died: {len(found['points_killed_at'])}", "counted:"] + columns(found["counts"])
    lines += ["errors of attempts:"] + columns(found["errors_of_attempts"])
    violations = found["violations"]
    lines.append(f"violations: {len(violations)}")
    kinds = Counter(one["invariant"] for one in violations)
    lines += columns(dict(kinds))
    lines += [f"  {one['number']:>3}  round {one['round']}, {one['seconds']:.0f} s: {one['invariant']}: {one['what']}" for one in violations[:20]]
    text = "\n".join(lines) + "\n"
    (torture.folder / "report.txt").write_text(text)
    print(text, flush=True)
    return found


def columns(counts):
    return [f"  {count:>9,}  {name}" for name, count in counts.items()]
