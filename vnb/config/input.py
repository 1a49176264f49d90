"""What the guest is typed, pointed and touched with, as a cell asks for it."""

from dataclasses import dataclass
from typing import Any, ClassVar

from vnb import virtio
from vnb.config.part import Part, Random, numbered
from vnb.host import input as hands


class _Hand(Part):
    """An input device of one kind; its `backend` is what the cell sends events with."""

    word: ClassVar[str]
    backend: ClassVar[type[hands.Input[Any]]]

    def name(self, index: int) -> str:
        """ "keyboard"; a second one is "keyboard2"; the guest reads it as the serial number."""
        return numbered(self.word, index)

    def open(self) -> hands.Input[Any]:
        """Nothing on the host is opened: events come from cells and widgets."""
        return self.backend()

    def device(self, backend: hands.Input[Any], name: str, random: Random) -> virtio.Device:
        """The device whose serial number is its name."""
        return virtio.Input(backend, serial=name)

    def __str__(self) -> str:
        return self.word


@dataclass(frozen=True)
class Keyboard(_Hand):
    """A keyboard: `machine.devices["keyboard"].send_key("a", True)`, `.type("ls\\n")`, `.leds`."""

    word = "keyboard"
    backend = hands.Keyboard


@dataclass(frozen=True)
class Mouse(_Hand):
    """A mouse: `machine.devices["mouse"].send_mouse(dx, dy, dz, buttons)`."""

    word = "mouse"
    backend = hands.Mouse


@dataclass(frozen=True)
class Tablet(_Hand):
    """A pointer with positions: `machine.devices["tablet"].send_tablet(x, y, buttons)`."""

    word = "tablet"
    backend = hands.Tablet


@dataclass(frozen=True)
class Touch(_Hand):
    """A touch screen: `machine.devices["touch"].send_touch(slot, x, y, down)`."""

    word = "touch"
    backend = hands.Touch
