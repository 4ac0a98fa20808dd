"""The table of results, and whether each figure reaches what is asked of it."""

import datetime
import os
import platform
import statistics


class Row:
    def __init__(self, what, engine, values, unit, target=None):
        self.what, self.engine, self.values, self.unit = what, engine, values, unit
        self.targets, self.remarks = [], []

    @property
    def median(self):
        return statistics.median(self.values)

    @property
    def missed(self):
        return any(not reached for _, reached in self.targets)

    def at_most(self, limit):
        self.targets.append((f"≤ {limit} {self.unit}", self.median <= limit))

    def at_least(self, limit):
        self.targets.append((f"≥ {limit} {self.unit}", self.median >= limit))

    def remark(self, text):
        self.remarks.append(text)

    def times_faster(self, other, factor):
        """`other` is None where that engine is absent: then nothing can be said."""
        if other is not None:
            found = other.median / self.median
            self.targets.append((f"{found:.1f}× faster than {other.engine}, asked: {factor}×", found >= factor))

    def as_much_as(self, other, factor):
        found = self.median / other.median
        self.targets.append((f"{found:.2f}× {other.engine}, asked: {factor}×", found >= factor))

    def cells(self):
        ordered = sorted(self.values)
        spread = f"{ordered[0]:.3g} – {ordered[int(len(ordered) * 0.9)]:.3g}" if len(ordered) > 1 else ""
        asked = "; ".join([*(f"{text} {'✓' if reached else '✗'}" for text, reached in self.targets), *self.remarks])
        return [self.what, self.engine, f"{self.median:.3g} {self.unit}".rstrip(), spread, str(len(ordered)), asked]


def render(rows, notes, versions, arguments):
    header = ["what", "engine", "median", "least – 90 %", "runs", "asked"]
    table = [header, *(row.cells() for row in rows)]
    widths = [max(len(line[column]) for line in table) for column in range(len(header))]
    lines = ["| " + " | ".join(cell.ljust(width) for cell, width in zip(line, widths)) + " |" for line in table]
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    shown = [argument for argument in arguments if not argument.startswith("/")]
    extra = " ".join(pick(shown, ["--rounds", "--only"]))
    facts = [
        f"- date: {datetime.datetime.now(datetime.timezone.utc):%Y-%m-%d %H:%M} UTC",
        f"- machine: {processor()}, {os.cpu_count()} cores, {memory()} GB, Linux {platform.release()}",
        f"- command: `benches/run{' ' + extra if extra else ''}`",
        f"- versions: {', '.join(f'{name} {version}' for name, version in versions.items())}",
        *(f"- {note}" for note in notes),
    ]
    return "\n".join(["# Results", "", "Written by `benches/run`; one interleaved run.", "", *facts, "", *lines, ""])


def pick(arguments, names):
    """The options of these names, with their values."""
    for name, value in zip(arguments, arguments[1:]):
        if name in names:
            yield f"{name} {value}"


def processor():
    with open("/proc/cpuinfo") as file:
        return next((line.partition(":")[2].strip() for line in file if line.startswith("model name")), platform.machine())


def memory():
    return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30)
