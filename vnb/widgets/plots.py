"""Counters become figures here, without pyplot, whose state other threads would share."""

import io
from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure

from vnb.stats import PERIOD, Counter, Stats

BINS = 240
"""Points of a curve, at most."""

DIRECTIONS = {"read": ("-", 0), "written": ("--", 1)}
"""The counters of a disk that are drawn: their line, and which of the disk's two colours."""

MEGABYTE = 1e6


class Plot(Figure):
    """A figure that a notebook shows by itself, as PNG, wherever matplotlib's own set-up is not."""

    def _repr_png_(self) -> bytes:
        file = io.BytesIO()
        self.savefig(file, format="png", dpi=110)
        return file.getvalue()


def throughput(devices: Mapping[str, Stats]) -> Plot:
    """What each disk read and wrote, in MB/s, over the seconds since the first of it."""
    counters = [
        (name, counter)
        for name, stats in devices.items()
        for counter in stats.counters()
        if counter.name in DIRECTIONS and counter.unit == "bytes"
    ]
    disks = list(dict.fromkeys(name for name, _ in counters))
    figure = Plot(figsize=(8, 3), layout="constrained")
    axes = figure.add_subplot()
    axes.set(title="Block throughput", xlabel="seconds", ylabel="MB/s")
    edges = _edges([counter for _, counter in counters])
    for name, counter in counters:
        style, shade = DIRECTIONS[counter.name]
        axes.plot(
            edges[:-1] - edges[0],
            _rate(counter, edges),
            style,
            color=f"C{2 * disks.index(name) + shade}",
            label=f"{name} {counter.name}",
            drawstyle="steps-post",
        )
    if counters:
        axes.legend(frameon=False)
    else:
        axes.text(0.5, 0.5, "no disk has been used yet", ha="center", transform=axes.transAxes)
    axes.set_ylim(bottom=0)
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(alpha=0.3)
    return figure


def _edges(counters: list[Counter]) -> np.ndarray:
    """Where the bins begin, and the last one ends, that hold every sample."""
    times = [time for counter in counters for time, _ in counter.samples()]
    first, last = (min(times), max(times) + PERIOD) if times else (0.0, PERIOD)
    count = min(BINS, max(1, round((last - first) / PERIOD)))
    return np.linspace(first, last, count + 1)


def _rate(counter: Counter, edges: np.ndarray) -> np.ndarray:
    """MB/s in each bin."""
    samples = np.array(counter.samples())
    amounts, _ = np.histogram(samples[:, 0], edges, weights=samples[:, 1])
    rate: np.ndarray = amounts / np.diff(edges) / MEGABYTE
    return rate
