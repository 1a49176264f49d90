"""Counters become figures here, without pyplot, whose state other threads would share."""

import io
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter, FuncFormatter, MaxNLocator, NullFormatter

from vnb.stats import PERIOD, Counter, Stats

Over = Literal["host", "guest"]

BINS = 240
"""Points of a curve, at most."""

COLOURS = ("#3b76af", "#e08a2e", "#4f9d5d", "#b8555a", "#7d6ab5", "#3aa3a0", "#94714f", "#c76fa5")
"""One for each device, in all panels."""


@dataclass(frozen=True)
class Flow:
    """A panel of throughput: which devices are in it, and which of their counters, up and down."""

    title: str
    kinds: tuple[str, ...]
    up: str
    down: str
    unit: str
    amount: float  # bytes in one of the unit


FLOWS = (
    Flow("Disks and shares", ("block", "9p"), "read", "written", "MB", 1e6),
    Flow("Network", ("net",), "received", "sent", "Mbit", 1e6 / 8),
)


@dataclass(frozen=True)
class Time:
    """What runs along the bottom: the host's seconds, or the guest's instructions."""

    label: str
    place: int  # in a sample
    unit: float  # so much of that is one of the label's
    shortest: float  # bin, in the label's
    per: str  # what follows the unit of a rate


TIMES: dict[Over, Time] = {
    "host": Time("seconds since power-on", 0, 1e9, PERIOD / 1e9, "/s"),
    "guest": Time("million instructions of the guest", 1, 1e6, 1.0, " per million"),
}


class Plot(Figure):
    """A figure that a notebook shows by itself, as PNG, wherever matplotlib's own set-up is not."""

    def _repr_png_(self) -> bytes:
        file = io.BytesIO()
        self.savefig(file, format="png", dpi=110)
        return file.getvalue()


def overview(devices: Mapping[str, Stats], over: Over = "host") -> Plot:
    """Throughput of disks, shares and networks over time, request latencies, and queue depths."""
    time = TIMES[over]
    used = {
        name: stats for name, stats in devices.items() if any(_moved(flow, stats) for flow in FLOWS)
    }
    flows = [flow for flow in FLOWS if any(_moved(flow, stats) for stats in used.values())]
    figure = Plot(figsize=(9, 2.6 * (len(flows) + bool(flows)) or 1), layout="constrained")
    if not used:
        words = "no disk, share or network has been used yet"
        figure.text(0.5, 0.5, words, ha="center", va="center", color="0.4")
        return figure
    edges = _edges(used, time)
    colours = {name: COLOURS[place % len(COLOURS)] for place, name in enumerate(used)}
    grid = figure.add_gridspec(len(flows) + 1, 2)
    for row, flow in enumerate(flows):
        moved = {name: stats for name, stats in used.items() if _moved(flow, stats)}
        _throughput(figure.add_subplot(grid[row, :]), flow, moved, colours, time, edges)
    _latency(figure.add_subplot(grid[-1, 0]), used, colours, over)
    _depth(figure.add_subplot(grid[-1, 1]), used, colours, time, edges)
    return figure


def _moved(flow: Flow, stats: Stats) -> bool:
    return stats.kind in flow.kinds and bool(stats[flow.up] or stats[flow.down])


def _throughput(
    axes: Axes,
    flow: Flow,
    devices: Mapping[str, Stats],
    colours: Mapping[str, str],
    time: Time,
    edges: np.ndarray,
) -> None:
    """What came to the guest upwards, what it gave downwards, per unit of time."""
    for name, stats in devices.items():
        signs = {flow.up: 1, flow.down: -1}
        for counter in (counter for counter in stats.counters() if counter.name in signs):
            amounts = np.diff(_running(_samples(counter, stats, time), edges))
            rate = signs[counter.name] * amounts / np.diff(edges) / flow.amount
            axes.stairs(rate, edges, fill=True, color=colours[name], alpha=0.55)
            axes.stairs(rate, edges, color=colours[name], linewidth=0.9)
        axes.fill_between([], [], color=colours[name], alpha=0.6, label=name)
    _dress(axes, flow.title, time.label, f"{flow.unit}{time.per}")
    axes.axhline(0, color="0.3", linewidth=0.8)
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{abs(value):g}"))
    axes.margins(x=0.01, y=0.15)
    for word, height, align in ((flow.up, 0.97, "top"), (flow.down, 0.03, "bottom")):
        axes.text(0.006, height, word, transform=axes.transAxes, va=align, color="0.4", fontsize=9)


def _latency(
    axes: Axes, devices: Mapping[str, Stats], colours: Mapping[str, str], over: Over
) -> None:
    """Which share of the requests took how long, on a scale of powers of ten."""
    scale = 1e-9 if over == "host" else 1.0
    form = EngFormatter("s" if over == "host" else "", places=0)
    for name, stats in devices.items():
        histogram = stats.latency if over == "host" else stats.work
        for lower, upper, count in histogram.buckets():
            if lower:  # there is no zero on this scale
                share, span = 100 * count / histogram.total, [lower * scale, upper * scale]
                axes.stairs([share], span, fill=True, color=colours[name], alpha=0.55)
        half, most = (form(histogram.quantile(part) * scale) for part in (0.5, 0.99))
        label = f"{name}: half within {half}, 99 % within {most}"
        axes.fill_between([], [], color=colours[name], alpha=0.6, label=label)
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter(form)
    axes.xaxis.set_minor_formatter(NullFormatter())
    if axes.patches:
        low, high = np.log10(axes.get_xlim())
        axes.set_xlim(10 ** np.floor(low), 10 ** np.ceil(high))  # whole decades
    else:
        axes.set(xlim=(1, 1000), ylim=(0, 1))
        words = "all at once, while the guest stood still"
        axes.text(0.5, 0.4, words, transform=axes.transAxes, ha="center", color="0.4", fontsize=9)
    across = "from kick to answer" if over == "host" else "instructions from kick to answer"
    _dress(axes, "Latency", across, "% of requests")
    axes.legend(frameon=False, fontsize=8.5, loc="upper left")
    axes.set_ylim(0, axes.get_ylim()[1] * (1.05 + 0.17 * len(devices)))  # below the legend


def _depth(
    axes: Axes,
    devices: Mapping[str, Stats],
    colours: Mapping[str, str],
    time: Time,
    edges: np.ndarray,
) -> None:
    """The most requests that were on their way at once, over time."""
    for name, stats in devices.items():
        samples = _samples(stats.depth, stats, time)
        deepest = np.zeros(len(edges) - 1)
        places = np.clip(np.searchsorted(edges, samples[:, 0], "right") - 1, 0, len(deepest) - 1)
        np.maximum.at(deepest, places, samples[:, 2])
        axes.stairs(deepest, edges, fill=True, color=colours[name], alpha=0.1)
        axes.stairs(deepest, edges, color=colours[name], linewidth=1.2, label=name)
    _dress(axes, "Queue depth", time.label, "requests at once")
    axes.yaxis.set_major_locator(MaxNLocator(integer=True, nbins=6))
    axes.margins(x=0.01)
    axes.set_ylim(bottom=0)


def _samples(counter: Counter, stats: Stats, time: Time) -> np.ndarray:
    """(beginning, length, amount) of each of a counter's samples, in units of the axis.

    How far the guest came in a period is not known, only how far until the next one began; in the
    last one it is taken to be as far as in most.
    """
    found = np.array(counter.samples(), dtype=float).reshape(-1, 3)
    gaps = np.diff(found[:, :2], axis=0)
    lengths = gaps[:, time.place] * np.minimum(1, PERIOD / gaps[:, 0])
    usual = PERIOD if time.place == 0 else np.median(lengths) if len(lengths) else 0
    lengths = np.append(lengths, [usual] * (len(found) - len(gaps)))
    begins = found[:, time.place] - (stats.born, 0)[time.place]
    return np.column_stack([begins / time.unit, lengths / time.unit, found[:, 2]])


def _running(samples: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """The running total at each edge, of amounts spread evenly over their periods."""
    begins, lengths, amounts = samples.T
    totals = np.cumsum(amounts)
    times = np.column_stack([begins, begins + lengths]).ravel()
    running: np.ndarray = np.interp(
        edges, times, np.column_stack([totals - amounts, totals]).ravel()
    )
    return running


def _edges(devices: Mapping[str, Stats], time: Time) -> np.ndarray:
    """Where the bins begin, and the last one ends, that hold every sample."""
    samples = np.concatenate(
        [
            _samples(counter, stats, time)
            for stats in devices.values()
            for counter in stats.counters()
        ]
    )
    first = float(samples[:, 0].min())
    last = max(float((samples[:, 0] + samples[:, 1]).max()), first + time.shortest)
    count = min(BINS, max(1, round((last - first) / time.shortest)))
    return np.linspace(first, last, count + 1)


def _dress(axes: Axes, title: str, across: str, upwards: str) -> None:
    """What all panels have in common; the legend stands beside the title."""
    axes.set_title(title, loc="left", fontsize=11, fontweight="bold", color="0.2")
    axes.set_xlabel(across, color="0.3")
    axes.set_ylabel(upwards, color="0.3")
    axes.tick_params(colors="0.3", labelsize=9)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color("0.7")
    axes.grid(color="0.9", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.legend(
        frameon=False,
        fontsize=8.5,
        loc="lower right",
        bbox_to_anchor=(1, 1),
        borderaxespad=0.2,
        ncols=8,
        columnspacing=1.2,
        handlelength=1.4,
    )
