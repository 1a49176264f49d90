"""What the devices of one machine have counted, by the names that the guest knows them by."""

import html
from collections.abc import Callable, Iterator, Mapping
from importlib import import_module
from typing import Any, Literal, get_args

from vnb.errors import UsageError
from vnb.stats import Counter, Stats

Frame = Literal["samples", "totals", "latency"]
Over = Literal["host", "guest"]
Row = tuple[str | int | float, ...]


class Tally(Mapping[str, Stats]):
    """`stats["vda"]["read"]` is a number, live; the whole is a table, a frame, and a figure."""

    def __init__(self, devices: Mapping[str, Stats]) -> None:
        self._devices = devices

    def __getitem__(self, device: str) -> Stats:
        return self._devices[device]

    def __iter__(self) -> Iterator[str]:
        return iter(self._devices)

    def __len__(self) -> int:
        return len(self._devices)

    def to_pandas(self, frame: Frame = "samples") -> Any:
        """A pandas DataFrame with one number in each row.

        "samples": `amount` of `counter` within 25 ms from `seconds` (the host's, since power-on)
        and from `instructions` (the guest's); "totals": since power-on; "latency": `count`
        requests took from `lower` to below `upper` `unit`, by the clock of the host or in
        instructions of the guest.
        """
        import pandas

        frames: dict[Frame, tuple[Callable[[Stats], Iterator[Row]], list[str]]] = {
            "samples": (_samples, ["counter", "unit", "seconds", "instructions", "amount"]),
            "totals": (_totals, ["counter", "unit", "total"]),
            "latency": (_latencies, ["clock", "unit", "lower", "upper", "count"]),
        }
        if frame not in frames:
            raise UsageError(f"frame={frame!r}: frame is one of {', '.join(frames)}")
        rows, columns = frames[frame]
        found = [(name, *row) for name, stats in self.items() for row in rows(stats)]
        return pandas.DataFrame(found, columns=["device", *columns])

    def plot(self, over: Over = "host") -> Any:
        """A matplotlib Figure: throughput of disks, shares and networks, latency, queue depth.

        Time is the host's seconds, or with `over="guest"` the instructions of the guest.
        """
        if over not in get_args(Over):
            raise UsageError(f"over={over!r}: over is one of {', '.join(get_args(Over))}")
        # By name, because widgets look at machines and not the other way round; and only now,
        # because matplotlib takes a while to load.
        return import_module("vnb.widgets.plots").overview(self, over)

    def __repr__(self) -> str:
        return "\n".join(map(repr, self.values())) or "no devices"

    def _repr_html_(self) -> str:
        rows = "".join(
            f'<tr style="background:none"><td style="text-align:left">{html.escape(device)}</td>'
            f'<td style="text-align:left">{html.escape(name)}</td>'
            f'<td style="text-align:right">{number:,}</td>'
            f'<td style="text-align:left">{html.escape(unit)}</td></tr>'
            for device, stats in self.items()
            for name, unit, number in (*_totals(stats), *_levels(stats))
        )
        return f'<table style="border:none">{rows}</table>' if rows else repr(self)


def _samples(stats: Stats) -> Iterator[tuple[str, str, float, int, int]]:
    counters: list[Counter] = [*stats.counters(), stats.depth]
    for counter in counters:
        for time, instructions, amount in counter.samples():
            yield counter.name, counter.unit, (time - stats.born) / 1e9, instructions, amount


def _totals(stats: Stats) -> Iterator[tuple[str, str, int]]:
    for counter in stats.counters():
        yield counter.name, counter.unit, counter.total


def _levels(stats: Stats) -> Iterator[tuple[str, str, int]]:
    if stats.latency.total:
        yield "median latency", "µs", round(stats.latency.quantile(0.5) / 1000)
        yield "latency of 99 %", "µs", round(stats.latency.quantile(0.99) / 1000)
        yield "most at once", stats.depth.unit, stats.depth.highest


def _latencies(stats: Stats) -> Iterator[tuple[str, str, float, float, int]]:
    for clock, histogram in (("host", stats.latency), ("guest", stats.work)):
        for lower, upper, count in histogram.buckets():
            yield clock, histogram.unit, lower, upper, count
