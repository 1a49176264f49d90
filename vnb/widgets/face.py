"""A machine in a cell's output: its panel, its screen or a pad, and its console."""

import weakref
from typing import TYPE_CHECKING, Any

from vnb.widgets.console import ConsoleWidget
from vnb.widgets.hands import Hands
from vnb.widgets.pad import PadWidget
from vnb.widgets.panel import PanelWidget
from vnb.widgets.publisher import PUBLISHER
from vnb.widgets.snapshot import Snapshot

if TYPE_CHECKING:
    from vnb.machine import Machine


class Face:
    """The widgets of one machine, live while there is a kernel, and their picture for later."""

    def __init__(self, machine: "Machine") -> None:
        self._machine = weakref.ref(machine)
        size = machine.console_size
        title = machine.config.image.name
        consoles = [
            ConsoleWidget(session, f"{title} {port}".strip(), *size)
            for port, session in machine.consoles.items()
        ]
        self.console = consoles[0]
        self.screens = screens(machine)
        self.widgets = [PanelWidget(machine), *self.screens, *consoles]
        self._snapshot = Snapshot(self._picture)
        self._publisher = PUBLISHER  # for good, as every widget has it
        self._publisher.add(self)

    def show(self) -> None:
        """One more output with this machine in it."""
        self._snapshot.show(*self.widgets)
        self._publisher.wake()

    def speak(self) -> float | None:
        """Have the pictures follow the machine."""
        machine = self._machine()
        if machine is None:
            return None
        wait = self._snapshot.follow(machine.state)
        return wait if machine.state == "running" else None

    def _picture(self) -> tuple[str, str]:
        machine = self._machine()
        if machine is None:
            return "", ""
        screens = "".join(screen.picture for screen in self.screens)
        facts = machine.facts()
        return facts.html(self.console.picture, screens), facts.text()


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
