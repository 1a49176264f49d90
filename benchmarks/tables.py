"""Rounds of measurements become a Markdown table here: medians, and the best in brackets."""

from __future__ import annotations

import os
import platform
import statistics
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table, padded so that it also reads well in a terminal; numbers to the right."""
    lines = [list(header), *(list(row) for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(header))]
    padded = [[line[0].ljust(widths[0]), *map(str.rjust, line[1:], widths[1:])] for line in lines]
    rule = ["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])]
    return "\n".join("| " + " | ".join(line) + " |" for line in [padded[0], rule, *padded[1:]])


def spread(values: Sequence[float], form: str = ".0f", best: str = "min") -> str:
    """The median, and the best of all rounds in brackets; a dash when there is none."""
    if not values:
        return "–"
    chosen = min(values) if best == "min" else max(values)
    return f"{statistics.median(values):{form}} ({chosen:{form}})"


def compared(
    rows: Sequence[str], targets: Sequence[str], seconds: Mapping[tuple[str, str], Sequence[float]]
) -> str:
    """How many times as long as the first target the others take, by medians (by bests)."""
    ours, *others = targets
    header = [f"times {ours}", *others]
    lines, columns = [], [(list[float](), list[float]()) for _ in others]
    for row in rows:
        cells = []
        for other, (medians, bests) in zip(others, columns, strict=True):
            theirs, own = seconds[row, other], seconds[row, ours]
            medians.append(statistics.median(theirs) / statistics.median(own))
            bests.append(min(theirs) / min(own))
            cells.append(f"{medians[-1]:.2f} ({bests[-1]:.2f})")
        lines.append([row, *cells])
    means = [[statistics.geometric_mean(series) for series in column] for column in columns]
    lines.append(["geometric mean", *(f"{median:.2f} ({best:.2f})" for median, best in means)])
    return table(header, lines)


def host() -> str:
    """One line about the machine that measured."""
    model = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        names = [line for line in cpuinfo.read_text().splitlines() if line.startswith("model name")]
        model = names[0].partition(":")[2].strip() if names else model
    load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
    return (
        f"{model}, {os.cpu_count()} cores, {platform.system()}, Python {platform.python_version()},"
        f" load average {load}"
    )
