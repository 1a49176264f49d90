"""What the devices of one machine have counted, by the names that the guest knows them by."""

import html
from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import Any

from vnb.stats import Stats


class Tally(Mapping[str, Stats]):
    """`stats["vda"]["read"]` is a number, live; the whole is a table, and `plot()` a figure."""

    def __init__(self, devices: Mapping[str, Stats]) -> None:
        self._devices = devices

    def __getitem__(self, device: str) -> Stats:
        return self._devices[device]

    def __iter__(self) -> Iterator[str]:
        return iter(self._devices)

    def __len__(self) -> int:
        return len(self._devices)

    def plot(self) -> Any:
        """A matplotlib Figure of what the disks read and wrote over time, in MB/s."""
        # By name, because widgets look at machines and not the other way round; and only now,
        # because matplotlib takes a while to load.
        return import_module("vnb.widgets.plots").throughput(self)

    def __repr__(self) -> str:
        return "\n".join(map(repr, self.values())) or "no devices"

    def _repr_html_(self) -> str:
        rows = "".join(
            f'<tr style="background:none"><td style="text-align:left">{html.escape(device)}</td>'
            f'<td style="text-align:left">{html.escape(counter.name)}</td>'
            f'<td style="text-align:right">{counter.total:,}</td>'
            f'<td style="text-align:left">{html.escape(counter.unit)}</td></tr>'
            for device, stats in self.items()
            for counter in stats.counters()
        )
        return f'<table style="border:none">{rows}</table>' if rows else repr(self)
