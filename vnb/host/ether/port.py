"""Where a network card is plugged in: frames of the card go one way, those for it wait here."""

import threading
from collections import deque
from collections.abc import Callable
from os import PathLike

from vnb.errors import UsageError
from vnb.frame import Frame
from vnb.host.ether.capture import Capture

LIMIT = 256
"""Frames that may wait in one place; what comes when they do is dropped."""

PREFIX = b"\x02vnb"
"""Of the addresses that a network gives out: its first bit says that no factory did."""


class Port:
    """One card's place on a network; any thread may call anything here.

    `on_change` is called when there is something to `take`, and when `carrier` has changed. The
    card's frames are counted in `sent` and `received`, and `dropped` are those that found the
    queue full.
    """

    def __init__(self, network: "Ethernet", mac: bytes) -> None:
        self.mac = mac
        self.on_change: Callable[[], None] | None = None
        self.sent = self.received = self.dropped = 0
        self._network = network
        self._cable = self._open = True
        self._waiting: deque[Frame] = deque()
        self._lock = threading.Lock()
        self._captures: tuple[Capture, ...] = ()

    @property
    def carrier(self) -> bool:
        """Whether the card sees a network; set it to False to pull the cable out, and back."""
        return self._cable and self._open and self._network.up

    @carrier.setter
    def carrier(self, there: bool) -> None:
        self._cable = bool(there)
        self.changed()

    def capture(self, path: str | PathLike[str]) -> Capture:
        """Write every frame that passes here, from now on, to a file that Wireshark reads."""
        capture = Capture(path)
        self.record(capture)
        return capture

    def record(self, capture: Capture) -> None:
        """Have every frame that passes here written there as well."""
        self._captures = (*self._captures, capture)

    # The card's side.

    def send(self, frame: Frame) -> None:
        """The card sends a frame; without a carrier it is lost."""
        if not self.carrier:
            return
        with self._lock:
            self.sent += 1
        for capture in self._captures:
            capture.write(frame)
        self._network.forward(self, frame)

    def take(self) -> Frame | None:
        """The next frame for the card, if there is one."""
        try:
            return self._waiting.popleft()
        except IndexError:
            return None

    def clear(self) -> None:
        """Forget what waits."""
        self._waiting.clear()

    def close(self) -> None:
        """Leave the network, for good; harmless when repeated."""
        if self._open:
            self._open = False
            self.on_change = None
            self._network.unplug(self)
            self.clear()

    # The network's side.

    def deliver(self, frame: Frame) -> None:
        """A frame for the card; without a carrier, or with LIMIT others waiting, it is lost."""
        if not self.carrier:
            return
        with self._lock:
            if len(self._waiting) >= LIMIT:
                self.dropped += 1
                return
            self.received += 1
            self._waiting.append(frame)
        for capture in self._captures:
            capture.write(frame)
        self._tell()

    def changed(self) -> None:
        """The carrier may have come or gone: what waited for a card without one is lost."""
        if not self.carrier:
            self.clear()
        self._tell()

    def _tell(self) -> None:
        on_change = self.on_change  # once: the card may leave the network meanwhile
        if on_change:
            on_change()

    def __repr__(self) -> str:
        state = "connected" if self.carrier else "no carrier"
        counts = f"{self.sent} sent, {self.received} received, {self.dropped} dropped"
        return f"<{self.mac.hex(':')} on {self._network}: {state}; {counts}>"


class Ethernet:
    """A network to plug cards into; each kind of network says what becomes of their frames.

    It gives each card an address that nobody else has here: the same ones in the same order, on
    networks that start with the same number `first`.
    """

    up = True
    """Whether those who are plugged in see a carrier."""
    most = 1 << 15
    """Cards that may be plugged in at a time."""

    def __init__(self, first: int = 1) -> None:
        self._first = first
        self._plugging = threading.Lock()
        self.ports: tuple[Port, ...] = ()

    def plug(self, mac: bytes | None = None) -> Port:
        """A place for one more card; UsageError if there is none, or the address is taken."""
        with self._plugging:
            if len(self.ports) == self.most:
                raise UsageError(
                    f"lan={self}: no more than {self.most} at a time; to connect several"
                    " machines to it, give them a Switch() and join() that with it"
                )
            taken = {port.mac for port in self.ports}
            if mac in taken:
                raise UsageError(f"mac={mac.hex(':')!r}: another card on {self} has it")
            port = Port(self, mac or self._address(taken))
            self.ports = (*self.ports, port)
        return port

    def unplug(self, port: Port) -> None:
        """A card has left."""
        with self._plugging:
            self.ports = tuple(other for other in self.ports if other is not port)

    def forward(self, port: Port, frame: Frame) -> None:
        """The card at `port` has sent this."""
        raise NotImplementedError

    def _address(self, taken: set[bytes]) -> bytes:
        numbers = range(self._first, self._first + self.most + len(taken) + 1)
        macs = (PREFIX + (number & 0xFFFF).to_bytes(2, "big") for number in numbers)
        return next(mac for mac in macs if mac not in taken)

    def _rise(self, up: bool) -> None:
        """The network has come, or gone."""
        self.up = up
        for port in self.ports:
            port.changed()

    def __str__(self) -> str:
        return type(self).__name__.lower()

    def __repr__(self) -> str:
        return f"<{self}>"
