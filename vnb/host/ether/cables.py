"""The simplest networks: a cable to nowhere, one back, one with a recorder, one between two."""

from os import PathLike
from typing import Self

from vnb.frame import Frame
from vnb.host.ether.capture import Capture
from vnb.host.ether.port import Ethernet, Port


class Null(Ethernet):
    """A network where nobody else is: all that is sent to it is lost."""

    def forward(self, port: Port, frame: Frame) -> None:
        """Nobody receives it."""


class Loop(Ethernet):
    """A network where everybody hears all that is sent, themselves included."""

    def forward(self, port: Port, frame: Frame) -> None:
        """Everybody receives it."""
        for other in self.ports:
            other.deliver(frame)


class Pcap(Ethernet):
    """The network `lan`, with all that its cards plugged in here send and receive in a file.

    The file at `path` is begun anew, and Wireshark reads it at any time.
    """

    def __init__(self, lan: Ethernet, path: str | PathLike[str]) -> None:
        super().__init__()
        self.lan = lan
        self.capture = Capture(path)

    def plug(self, mac: bytes | None = None) -> Port:
        """A place on `lan`."""
        port = self.lan.plug(mac)
        port.record(self.capture)
        return port

    def __str__(self) -> str:
        return f"{self.lan}, captured in {self.capture.path}"


class Patch:
    """A cable between two places: what one of them receives is sent from the other, both ways."""

    def __init__(self, one: Port, other: Port) -> None:
        self._ends = (one, other)
        one.on_change = lambda: self._move(one, other)
        other.on_change = lambda: self._move(other, one)

    def close(self) -> None:
        """Take the cable away."""
        for port in self._ends:
            port.close()

    @staticmethod
    def _move(near: Port, far: Port) -> None:
        while frame := near.take():
            far.send(frame)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()
