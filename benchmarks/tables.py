"""Rounds of measurements become Markdown tables here, and those a section of README.md."""

from __future__ import annotations

import math
import os
import platform
import statistics
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import click

README = Path(__file__).with_name("README.md")

Groups = Mapping[str, Sequence[str]]
"""Rows that belong together, by what they have in common."""
Seconds = Mapping[tuple[str, str], Sequence[float]]
"""(row, target) → what each round took."""

to_readme = click.option("--write", is_flag=True, help="Put the tables into benchmarks/README.md.")


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


def compared(groups: Groups, targets: Sequence[str], seconds: Seconds) -> str:
    """How many times as long as the first target the others take, by medians (by bests).

    Below the rows of each group stand its geometric means; a dash where nothing was measured.
    Nothing at all if there are no others.
    """
    ours, *others = targets
    if not others:
        return ""
    lines = []
    for group, rows in groups.items():
        columns = [[factor(seconds, row, other, ours) for row in rows] for other in others]
        lines += [
            [row, *(column[index].told() for column in columns)] for index, row in enumerate(rows)
        ]
        if rows:
            lines.append([f"**{group}**", *(mean(column).told() for column in columns)])
    return table([f"times {ours}", *others], lines)


@dataclass(frozen=True)
class Factor:
    """How many times as long one takes as another, by the medians and the bests of all rounds."""

    median: float = math.nan
    best: float = math.nan

    def told(self, form: str = ".2f") -> str:
        return "–" if math.isnan(self.median) else f"{self.median:{form}} ({self.best:{form}})"


def factor(seconds: Seconds, row: str, target: str, ours: str) -> Factor:
    theirs, own = seconds.get((row, target)), seconds.get((row, ours))
    if not theirs or not own:
        return Factor()
    return Factor(statistics.median(theirs) / statistics.median(own), min(theirs) / min(own))


def mean(factors: Sequence[Factor]) -> Factor:
    """Geometric, over what was measured."""
    there = [it for it in factors if not math.isnan(it.median)]
    if not there:
        return Factor()
    return Factor(
        statistics.geometric_mean([it.median for it in there]),
        statistics.geometric_mean([it.best for it in there]),
    )


def among(groups: Groups, chosen: Sequence[str]) -> Groups:
    """The groups with those of their rows that were chosen."""
    return {name: [row for row in group if row in chosen] for name, group in groups.items()}


def conclude(
    section: str,
    measured: str,
    tables: Iterable[str],
    missing: Mapping[str, str],
    write: bool,
    wrong: Sequence[str] = (),
) -> None:
    """Print where and how it was measured, the tables, and what was missing and why.

    With `write` all this becomes a section of README.md, unless something is wrong: then the run
    ends with these lines.
    """
    absent = [f"Not measured: {name}, because {why}." for name, why in missing.items()]
    text = "\n\n".join([f"{host()}; {measured}.", *filter(None, tables), *absent])
    print(text)
    if wrong:
        sys.exit("\n".join(wrong))
    if write:
        fill(section, text)


def fill(name: str, text: str) -> None:
    """Put the text into README.md, between `<!-- name -->` and `<!-- /name -->`."""
    before, _, rest = README.read_text().partition(f"<!-- {name} -->\n")
    _, _, after = rest.partition(f"<!-- /{name} -->\n")
    README.write_text(f"{before}<!-- {name} -->\n\n{text}\n\n<!-- /{name} -->\n{after}")


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
