"""Medians, ratios, and the tables for docs/BENCHMARKS.md."""

from statistics import median

FIGURES = ("wall_seconds", "client_cpu_seconds", "source_cpu_seconds", "warehouse_cpu_seconds")


def medians(found):
    """Adds to each way of each workload the medians of its runs and the ratios to the pipe and of barncat to it."""
    for workload in found["workloads"].values():
        ways = workload["ways"]
        for way in ways.values():
            if way["runs"]:
                way["median"] = {name: round(median(run[name] for run in way["runs"]), 2) for name in FIGURES}
                walls = [run["wall_seconds"] for run in way["runs"]]
                way["median"] |= {"fastest_seconds": min(walls), "slowest_seconds": max(walls),
                                  "peak_memory_bytes": max(run["peak_memory_bytes"] for run in way["runs"]),
                                  "staged_bytes": way["runs"][-1]["staged_bytes"]}
        for way in ways.values():
            for name in ("pipe", "barncat"):
                base = ways.get(name, {}).get("median")
                if base and way["runs"]:
                    way["median"][f"ratio_to_{name}"] = round(way["median"]["wall_seconds"] / base["wall_seconds"], 2)
    return found


def seen(way):
    """What readers saw, in a cell."""
    if "readers" not in way:
        return ""
    readers = way["readers"]
    words = [f"{what} {seconds:.1f} s" for what, seconds in readers["seconds"].items()]
    if readers["counts"]:
        words.append("counted " + ", ".join(readers["counts"][:2]))
    return "; ".join(words) or "whole"


def outcome(way):
    """What became of the values, in a cell."""
    if "is_equal" not in way:
        return ""
    shown = ["equal"] if way["is_equal"] else way["altered"][:3] + (["…"] if len(way["altered"]) > 3 else [])
    lost = [words for words in way["lost"] if not words.startswith("added")]
    if len(lost) > 3:
        lost = lost[:2] + [f"{len(lost) - 2} more"]
    return "; ".join(shown + (["**lost** " + ", ".join(lost)] if lost else [])).replace("|", "\\|")


def line(name, way):
    median = way["median"]
    ratios = [f"{median[key]:.2f}" if key in median else "" for key in ("ratio_to_pipe", "ratio_to_barncat")]
    counts = "" if not any(run["wrong_counts"] for run in way["runs"]) else "**wrong row counts**; "
    return " | ".join([name, f"{median['wall_seconds']:.2f}", f"{median['fastest_seconds']:.1f} to {median['slowest_seconds']:.1f}", *ratios,
                       *(f"{median[key]:.1f}" for key in FIGURES[1:]), f"{median['peak_memory_bytes'] / 1e6:.0f} MB", counts + outcome(way), seen(way)])


def markdown(found):
    """One table a workload; below it what could not be done, and why."""
    lines = []
    for name, workload in found["workloads"].items():
        tables = f", {workload['tables']} tables of up to" if workload["tables"] > 1 else ","
        lines += [f"### {name}: {workload['title']}", "", f"`WORKLOADS={name}`{tables} {workload['rows']:,} rows; medians of {found['runs']} rounds.", "",
                  "| way | wall, s | fastest to slowest | to the pipe | to barncat | client CPU, s | source CPU, s | warehouse CPU, s | memory | values | readers saw |",
                  "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |"]
        ways = workload["ways"]
        for way in sorted((way for way in ways if ways[way].get("median")), key=lambda way: ways[way]["median"]["wall_seconds"]):
            lines.append(f"| {line(way, ways[way])} |")
        lines.append("")
        for way, result in ways.items():
            if result["cannot"]:
                lines.append(f"- {way} cannot: {result['cannot']}")
            elif result["error"]:
                lines.append(f"- {way} failed{' after ' + str(len(result['runs'])) + ' rounds' if result['runs'] else ''}: {result['error']}")
        lines.append("")
    lines += ["How each was run:", ""] + [f"- {name} {found['versions'][name]}: {how}" for name, how in found["how"].items()]
    return "\n".join([*lines, "", f"Durability: {found['durability']}.", ""])
