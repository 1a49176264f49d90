"""The statistics of a machine as a figure that is drawn again while somebody looks at it."""

import base64
import threading
import weakref
from typing import TYPE_CHECKING

import traitlets

from vnb.widgets.line import Message
from vnb.widgets.snapshot import Snapshot
from vnb.widgets.widget import STATIC, Widget

if TYPE_CHECKING:
    from vnb.machine import Machine


class LivePlot(Widget):
    """Throughput, latency and queue depth, once a second where it can be seen.

    Figures are drawn on a thread of their own, one at a time, so that no other widget waits. It
    does not keep the machine.
    """

    _esm = STATIC / "live.js"
    _css = STATIC / "live.css"
    title = traitlets.Unicode().tag(sync=True)

    def __init__(self, machine: "Machine") -> None:
        name = machine.config.image.name
        super().__init__(title=f"{name}: throughput, latency and queue depth of its devices")
        self._machine = weakref.ref(machine)
        self._asked = False
        self._drawn = ""  # what the last figure says, in numbers
        self._figure = b""
        self._fresh = False  # whether there is a figure that no page has been sent
        self._drawing: threading.Thread | None = None
        self._snapshot = Snapshot(self._picture)
        self._begin()

    def _ipython_display_(self) -> None:
        self._draw()
        self._snapshot.show(self)

    def tell(self) -> float | None:
        """Send the figure that was drawn, and have the next one drawn if a page looks."""
        if self._fresh:
            self._fresh = False
            self._line.send({"kind": "figure"}, self._figure)
        if self._asked and not (self._drawing and self._drawing.is_alive()):
            self._asked = False
            self._drawing = threading.Thread(target=self._draw, name="vnb-plot", daemon=True)
            self._drawing.start()
        return self._snapshot.follow(None)

    def _draw(self) -> None:
        """Draw the figure, if anything was counted since the last one."""
        machine = self._machine()
        if machine is None:
            return
        stats = machine.stats
        numbers = repr(stats)
        if numbers != self._drawn:
            self._figure = stats.plot()._repr_png_()
            self._drawn = numbers
            self._fresh = True
            self._publisher.wake()

    def _picture(self) -> tuple[str, str]:
        data = base64.b64encode(self._figure).decode()
        return f'<img alt="{self.title}" src="data:image/png;base64,{data}">', self.title

    def hear(self, page: str, message: Message) -> None:
        match message:
            case {"kind": "look", "again": bool(again)}:
                self._asked = True
                self._fresh = self._fresh or (bool(self._figure) and not again)
