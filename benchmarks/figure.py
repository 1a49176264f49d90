"""Ratios become a picture here: one row for each kernel, with QEMU as the line at 1."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator
from tables import Factor, Groups, Seconds, factor, mean

BASE, OURS = "QEMU", "vnb warm"
INK, QUIET, GRID = "#1f2933", "#7b8794", "#e4e7eb"
AHEAD, BEHIND, MEAN_AHEAD, MEAN_BEHIND = "#7db0e0", "#f0b67f", "#1d63ab", "#cc6f1f"
TICKS = {2.0**n: f"{2**n}×" if n >= 0 else f"1/{2**-n}" for n in range(-6, 9)}
WIDTH, ROW, TOP, BOTTOM = 8.2, 0.27, 0.95, 0.6  # inches
BETWEEN = 0.8  # rows between two groups
LABEL = 0.065  # of the width, that a label takes

Factors = dict[str, Factor]  # how many times as fast as QEMU a target is


as_picture = click.option(
    "--figure", type=click.Path(path_type=Path), help="Where to draw it, as .svg or .png"
)


@dataclass(frozen=True)
class Mark:
    """How a target beside ours is drawn."""

    shape: str
    size: float
    colour: str
    inside: str
    label: str


MARKS = {
    "vnb cold": Mark("o", 5, INK, "white", "nothing translated before"),
    "vnb off": Mark("|", 9, INK, INK, "interpreter alone"),
    "native": Mark("D", 3.5, QUIET, QUIET, "the host's own code"),
}


def drawn(path: Path, title: str, groups: Groups, seconds: Seconds) -> None:
    """Save how many times as fast as QEMU each row is, by the best of all rounds."""
    rows = {
        row: {target: factor(seconds, row, BASE, target) for target in (OURS, *MARKS)}
        for group in groups.values()
        for row in group
    }
    there = [them for them in rows.values() if not math.isnan(them[OURS].best)]
    if not there:
        raise click.ClickException(f"nothing to draw without {OURS} and {BASE}")
    shown = {name: group for name, group in groups.items() if group}
    lines = sum(len(group) + 1 + BETWEEN for group in shown.values()) - BETWEEN
    height = ROW * lines + TOP + BOTTOM
    with matplotlib.rc_context({"svg.hashsalt": "vnb", "font.size": 9, "text.color": INK}):
        picture = Figure(figsize=(WIDTH, height), facecolor="white")
        axes = picture.add_axes((0.17, BOTTOM / height, 0.8, ROW * lines / height))
        _frame(axes, lines, [it.best for them in there for it in them.values()])
        at = 0.0
        for name, group in shown.items():
            for row in group:
                _row(axes, at, row, rows[row])
                at += 1
            means = {target: mean([rows[row][target] for row in group]) for target in there[0]}
            _row(axes, at, f"{name}, mean", means, bold=True)
            at += 1 + BETWEEN
        picture.text(0.02, 1 - 0.27 / height, title, fontsize=13, weight="bold", va="center")
        _legend(picture, height, there)
        path.parent.mkdir(parents=True, exist_ok=True)
        picture.savefig(path, dpi=160, metadata={"Date": None} if path.suffix == ".svg" else None)


def _row(axes: Axes, at: float, name: str, factors: Factors, bold: bool = False) -> None:
    weight = "bold" if bold else "normal"
    place = axes.get_yaxis_transform()
    axes.text(-0.015, at, name, transform=place, ha="right", va="center", weight=weight)
    best = factors[OURS].best
    if math.isnan(best):
        return
    ahead = best >= 1
    colour = {(1, 0): AHEAD, (0, 0): BEHIND, (1, 1): MEAN_AHEAD, (0, 1): MEAN_BEHIND}[ahead, bold]
    axes.barh(at, best - 1, left=1, height=0.7, color=colour, zorder=2)
    for target, mark in MARKS.items():
        axes.plot(factors[target].best, at, mark.shape, zorder=4, **_style(mark))
    axes.annotate(
        f"{best:.1f}×" if best < 9.95 else f"{best:.0f}×",
        (_clear(axes, best, factors), at),
        (6 if ahead else -6, -0.5),
        textcoords="offset points",
        ha="left" if ahead else "right",
        va="center",
        weight=weight,
        fontsize=8,
        zorder=5,
        bbox={"boxstyle": "round,pad=0.1", "fc": "white", "ec": "none", "alpha": 0.8},
    )


def _clear(axes: Axes, best: float, factors: Factors) -> float:
    """Where a bar's label stands in no mark's way: at its end, or behind the marks just beyond."""
    low, high = axes.get_xlim()
    outwards, near = 1 if best >= 1 else -1, LABEL * math.log2(high / low)
    marks = [factors[target].best for target in MARKS]
    for mark in sorted(marks, key=lambda mark: outwards * mark):
        if -near / 8 < outwards * math.log2(mark / best) < near:
            best = mark
    return best


def _style(mark: Mark) -> dict[str, Any]:
    return {
        "markersize": mark.size,
        "markeredgecolor": mark.colour,
        "markerfacecolor": mark.inside,
        "markeredgewidth": 1.2,
    }


def _frame(axes: Axes, lines: float, reached: list[float]) -> None:
    far = [value for value in reached if not math.isnan(value)]
    axes.set_xscale("log", base=2)
    axes.set_xlim(min(0.7, *far) / 1.25, max(2, *far) * 1.5)
    axes.set_ylim(lines - 0.5, -0.5)
    axes.xaxis.set_major_locator(FixedLocator(list(TICKS)))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: TICKS.get(value, "")))
    axes.tick_params(axis="x", length=0, labelcolor=QUIET)
    axes.set_yticks([])
    axes.grid(axis="x", color=GRID, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[:].set_visible(False)
    axes.axvline(1, color=INK, linewidth=1.1, zorder=3)
    axes.annotate(
        BASE, (1, 1), (0, 3), xycoords=("data", "axes fraction"), textcoords="offset points",
        ha="center", va="bottom", weight="bold",
    )  # fmt: skip
    axes.set_xlabel("times as fast as QEMU, best of all rounds", color=QUIET, labelpad=5)


def _legend(picture: Figure, height: float, there: list[Factors]) -> None:
    """What is in the picture, and no more."""
    handles: list[Patch | Line2D] = [Patch(color=AHEAD, label="vnb")]
    for target, mark in MARKS.items():
        if not all(math.isnan(them[target].best) for them in there):
            style = {"linestyle": "", "marker": mark.shape, "label": mark.label, **_style(mark)}
            handles.append(Line2D([], [], **style))
    picture.legend(
        handles=handles, loc="center left", bbox_to_anchor=(0.01, 1 - 0.55 / height),
        ncols=len(handles), frameon=False, handletextpad=0.5, columnspacing=1.6,
    )  # fmt: skip
