"""A machine in a cell's output: live while there is a kernel, and a picture when there is not."""

import time
import weakref
from typing import TYPE_CHECKING, Any

from IPython.display import HTML, display

from vnb.widgets.console import ConsoleWidget
from vnb.widgets.hands import Hands
from vnb.widgets.pad import PadWidget
from vnb.widgets.panel import PanelWidget
from vnb.widgets.publisher import PUBLISHER

if TYPE_CHECKING:
    from vnb.machine import Machine

SNAPSHOT = "vnb-snapshot"
"""The class of the picture, which the live widgets hide."""

REFRESH = 10.0
"""Seconds between two pictures."""


class Face:
    """The widgets of one machine, and the pictures of it that its outputs keep.

    A notebook that is saved, exported or opened without a kernel has no widgets: below them each
    output has a picture of the machine in plain HTML, which they hide, and which follows it.
    """

    def __init__(self, machine: "Machine") -> None:
        self._machine = weakref.ref(machine)
        self.panel = PanelWidget(machine)
        size = machine.console_size
        self.console = ConsoleWidget(machine.console, machine.config.image.name, *size)
        self.widgets = [self.panel, *screens(machine), self.console]
        self._handles: list[Any] = []
        self._shown = self._state = ""
        self._next = 0.0
        PUBLISHER.add(self)

    def show(self) -> None:
        """One more output with this machine in it."""
        for widget in self.widgets:
            display(view(widget), raw=True)
        machine = self._machine()
        if machine is not None:
            self._shown = self._picture(machine)
            self._handles.append(display(HTML(self._shown), display_id=True))
            PUBLISHER.wake()

    def speak(self) -> float | None:
        """Have the pictures follow the machine: a new state at once, all else now and then."""
        machine = self._machine()
        if machine is None or not self._handles:
            return None
        wait = self._next - time.monotonic()
        if wait > 0 and machine.state == self._state:
            return wait
        self._next = time.monotonic() + REFRESH
        self._state = machine.state
        picture = self._picture(machine)
        if picture != self._shown:
            self._shown = picture
            for handle in self._handles:
                handle.update(HTML(picture))
        return REFRESH if machine.state == "running" else None

    def _picture(self, machine: "Machine") -> str:
        html = machine.facts().html(self.console.picture)
        return f'<div class="{SNAPSHOT}">{html}</div>'


def screens(machine: "Machine") -> list[Any]:
    """What one looks at and points at: its screens, or a pad where it has hands but no screen."""
    title = machine.config.image.name
    found = [device for device in machine.devices.values() if hasattr(device, "on_damage")]
    if found:
        from vnb.widgets.screen import ScreenWidget

        return [ScreenWidget(screen, title, machine.devices) for screen in found]
    if Hands(machine.devices).any:
        return [PadWidget(title, machine.devices)]
    return []


def view(widget: Any) -> dict[str, Any]:
    """A widget as it is displayed, without words for pages that cannot: those have the picture."""
    model = {"version_major": 2, "version_minor": 0, "model_id": widget.model_id}
    return {"application/vnd.jupyter.widget-view+json": model}
