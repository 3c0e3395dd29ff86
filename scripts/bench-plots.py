#!/usr/bin/env python3
"""Draws what scripts/bench.sh --sizes measured: cost against size, both axes logarithmic, with the line that "linear" would be.

scripts/bench-plots.py FIGURES.json FOLDER     writes FOLDER/rows.svg, rows-memory.svg, tables.svg
"""

import json
import math
import sys
from pathlib import Path

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 640, 400, 70, 20, 40, 50
COLOURS = {"run": "#b5541c", "pipe": "#3b6ea5"}
NAMES = {"run": "barncat", "pipe": "the binary psql pipe"}


def short(value):
    """A number as a tick shows it."""
    for unit, factor in (("M", 1e6), ("k", 1e3)):
        if value >= factor:
            return f"{value / factor:g} {unit}"
    return f"{value:g}"


def bounds(values):
    """Whole powers of ten, or of half of them, around all values."""
    return 10 ** math.floor(math.log10(min(values))), 10 ** math.ceil(math.log10(max(values) * 1.05))


def ticks(low, high):
    """One, two and five of each power of ten, if few of these are asked for, else the powers."""
    powers = range(round(math.log10(low)), round(math.log10(high)) + 1)
    steps = (1, 2, 5) if len(powers) <= 3 else (1,)
    return [step * 10.0**power for power in powers for step in steps if low <= step * 10.0**power <= high * 1.0001]


class Plot:
    """One picture of several series, each a list of (size, cost)."""

    def __init__(self, title, across, up, series, is_linear_shown):
        self.title, self.across, self.up, self.series, self.is_linear_shown = title, across, up, series, is_linear_shown
        points = [point for line in series.values() for point in line]
        self.x_range, self.y_range = bounds([x for x, _ in points]), bounds([y for _, y in points])

    def x(self, value):
        low, high = map(math.log, self.x_range)
        return LEFT + (math.log(value) - low) / (high - low) * (WIDTH - LEFT - RIGHT)

    def y(self, value):
        low, high = map(math.log, self.y_range)
        return HEIGHT - BOTTOM - (math.log(value) - low) / (high - low) * (HEIGHT - TOP - BOTTOM)

    def axes(self):
        for value in ticks(*self.x_range):
            x = self.x(value)
            yield f'<line x1="{x:.1f}" y1="{TOP}" x2="{x:.1f}" y2="{HEIGHT - BOTTOM}" stroke="#ddd"/>'
            yield f'<text x="{x:.1f}" y="{HEIGHT - BOTTOM + 18}" text-anchor="middle">{short(value)}</text>'
        for value in ticks(*self.y_range):
            y = self.y(value)
            yield f'<line x1="{LEFT}" y1="{y:.1f}" x2="{WIDTH - RIGHT}" y2="{y:.1f}" stroke="#ddd"/>'
            yield f'<text x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{short(value)}</text>'
        yield f'<text x="{(WIDTH + LEFT) / 2}" y="{HEIGHT - 10}" text-anchor="middle">{self.across}</text>'
        yield f'<text x="16" y="{HEIGHT / 2}" text-anchor="middle" transform="rotate(-90 16 {HEIGHT / 2})">{self.up}</text>'

    def linear(self, line):
        """From the first point on, what costs in proportion would be, as far as the picture goes."""
        (x, y), (last, _) = line[0], line[-1]
        end = min(last, x * self.y_range[1] / y)
        yield (f'<line x1="{self.x(x):.1f}" y1="{self.y(y):.1f}" x2="{self.x(end):.1f}" y2="{self.y(y * end / x):.1f}" '
               'stroke="#888" stroke-dasharray="5 4"/>')

    def lines(self):
        for number, (way, line) in enumerate(self.series.items()):
            colour = COLOURS.get(way, "#555")
            path = " ".join(f"{self.x(x):.1f},{self.y(y):.1f}" for x, y in line)
            yield f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>'
            for x, y in line:
                yield f'<circle cx="{self.x(x):.1f}" cy="{self.y(y):.1f}" r="3.5" fill="{colour}"><title>{short(x)}: {y:g}</title></circle>'
            yield f'<text x="{LEFT + 12}" y="{TOP + 18 + 18 * number}" fill="{colour}">{NAMES.get(way, way)}</text>'
            if self.is_linear_shown and number == 0:
                yield from self.linear(line)

    def svg(self):
        head = (f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}" viewBox="0 0 {WIDTH} {HEIGHT}" '
                'font-family="sans-serif" font-size="12">')
        title = f'<text x="{WIDTH / 2}" y="22" text-anchor="middle" font-size="14">{self.title}</text>'
        return "\n".join([head, '<rect width="100%" height="100%" fill="white"/>', title, *self.axes(), *self.lines(), "</svg>", ""])


def series(figures, what, key, scale=1):
    """The points of each way that has such figures; barncat first."""
    found = {}
    for figure in sorted(figures, key=lambda one: (one["way"] != "run", one["size"])):
        if figure["what"] == what and figure[key]:
            found.setdefault(figure["way"], []).append((figure["size"], figure[key] / scale))
    return {way: line for way, line in found.items() if len(line) > 1}


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    figures, folder = json.loads(Path(sys.argv[1]).read_text()), Path(sys.argv[2])
    folder.mkdir(parents=True, exist_ok=True)
    plots = {
        "rows": ("a whole table: wall time (dashed: in proportion)", "rows of orders", "seconds", "rows", "wall_seconds", 1, True),
        "rows-memory": ("a whole table: peak memory of barncat", "rows of orders", "MB", "rows", "peak_memory_bytes", 1e6, False),
        "tables": ("many tables of 1,000 rows: wall time (dashed: in proportion)", "tables", "seconds", "tables", "wall_seconds", 1, True),
    }
    for name, (title, across, up, what, key, scale, is_linear_shown) in plots.items():
        lines = series(figures, what, key, scale)
        if not lines:
            print(f"{name}: too few figures", file=sys.stderr)
            continue
        (folder / f"{name}.svg").write_text(Plot(title, across, up, lines, is_linear_shown).svg())


if __name__ == "__main__":
    main()
