"""The switch that connects machines: frames go where their address was last seen."""

import random
import threading
import time
from collections import OrderedDict, deque
from functools import partial
from os import PathLike
from weakref import WeakKeyDictionary

from vnb.errors import UsageError
from vnb.frame import GROUP, Frame
from vnb.host.ether.cables import Patch
from vnb.host.ether.capture import Capture
from vnb.host.ether.delay import Delay
from vnb.host.ether.port import LIMIT, Ethernet, Port
from vnb.words import number_from

TABLE = 1024
"""Addresses that the switch knows; of more, it forgets the one not heard of for longest."""

AGE = 300.0
"""Seconds for which it knows an address that is heard of no more."""

IN_FLIGHT = 16 << 20
"""Bytes that may be on their way to one port at a time, however slow that is."""


class _Wire:
    """The way out to one port: how long it is busy, and what is on it."""

    def __init__(self) -> None:
        self.free = 0.0  # when the last frame so far will have left the switch
        self.leaving: deque[float] = deque()  # when each that has not left yet will
        self.in_flight = 0  # bytes


class Switch(Ethernet):
    """Connects any number of machines of this notebook, at the speed of the host.

    For experiments, each way out of it can be made worse: `loss` is the share of frames that
    disappear, `latency` the seconds that each is under way, and `bandwidth` the bits that pass
    in a second, with a queue of LIMIT frames before it. All three may be changed at any time.
    `seed` decides which frames get lost, and begins the addresses of the cards: give each of
    several switches that are to be joined another one.
    """

    def __init__(
        self,
        loss: float = 0.0,
        latency: float = 0.0,
        bandwidth: float | None = None,
        seed: int = 0,
    ) -> None:
        number_from(seed, "seed", 0, 0x7F)
        super().__init__(seed << 8 | 1)
        self.lost = 0
        """Frames that disappeared, because of `loss` or because a slow wire was full."""
        self._table: OrderedDict[bytes, tuple[Port, float]] = OrderedDict()
        self._lock = threading.Lock()
        self._dice = random.Random(seed)
        self._delay = Delay()
        self._wires: WeakKeyDictionary[Port, _Wire] = WeakKeyDictionary()
        self._captures: tuple[Capture, ...] = ()
        self.loss, self.latency, self.bandwidth = loss, latency, bandwidth

    @property
    def loss(self) -> float:
        """The share of frames that disappear, from 0 to 1."""
        return self._loss

    @loss.setter
    def loss(self, share: float) -> None:
        if not 0 <= share <= 1:
            raise UsageError(f"loss={share!r}: loss is a share from 0 to 1")
        self._loss = share

    @property
    def latency(self) -> float:
        """Seconds that each frame is under way."""
        return self._latency

    @latency.setter
    def latency(self, seconds: float) -> None:
        if not 0 <= seconds <= 60:
            raise UsageError(f"latency={seconds!r}: latency is a time of 0 to 60 seconds")
        self._latency = seconds

    @property
    def bandwidth(self) -> float | None:
        """Bits in a second on each way out; None if only the host limits it."""
        return self._bandwidth

    @bandwidth.setter
    def bandwidth(self, bits: float | None) -> None:
        if bits is not None and not bits >= 1000:
            raise UsageError(f"bandwidth={bits!r}: at least 1000 bits in a second, or None")
        self._bandwidth = bits

    def capture(self, path: str | PathLike[str]) -> Capture:
        """Write every frame that comes in, from now on, to a file that Wireshark reads."""
        capture = Capture(path)
        self._captures = (*self._captures, capture)
        return capture

    def join(self, other: Ethernet) -> Patch:
        """Connect this switch with another network, such as a Stream or a Tap, until closed."""
        return Patch(self.plug(), other.plug())

    def forward(self, port: Port, frame: Frame) -> None:
        """Learn where the sender is; send the frame to where its address is, or everywhere."""
        for capture in self._captures:
            capture.write(frame)
        targets = self._targets(port, frame.data)
        if not (self._loss or self._latency or self._bandwidth):
            for target in targets:
                target.deliver(frame)
        elif self._loss or self._bandwidth:  # which mean the frames of a cable
            for data in frame.plain():
                self._send(targets, Frame(data))
        else:
            self._send(targets, frame)

    def unplug(self, port: Port) -> None:
        """A card has left: so its address may be anywhere."""
        super().unplug(port)
        with self._lock:
            for mac in [mac for mac, (where, _) in self._table.items() if where is port]:
                del self._table[mac]

    def _targets(self, port: Port, data: bytes) -> tuple[Port, ...]:
        """The ports that a frame from `port` goes to."""
        destination, sender = data[:6], data[6:12]
        now = time.monotonic()
        with self._lock:
            if not sender[0] & GROUP:
                self._table[sender] = (port, now)
                self._table.move_to_end(sender)
                if len(self._table) > TABLE:
                    self._table.popitem(last=False)
            where, seen = self._table.get(destination, (None, 0.0))
        if where is not None and now - seen < AGE:
            return () if where is port else (where,)
        return tuple(other for other in self.ports if other is not port)

    def _send(self, targets: tuple[Port, ...], frame: Frame) -> None:
        """Over wires as bad as they are."""
        now = time.monotonic()
        for target in targets:
            with self._lock:
                moment = self._leave(target, len(frame.data), now)
                self.lost += moment is None
            if moment is None:
                continue
            if moment + self._latency > now:
                self._delay.call(moment + self._latency, partial(self._arrive, target, frame))
            else:
                self._arrive(target, frame)

    def _leave(self, target: Port, size: int, now: float) -> float | None:
        """When a frame of `size` bytes will have left the switch; None if it is lost."""
        if self._loss and self._dice.random() < self._loss:
            return None
        wire = self._wires.setdefault(target, _Wire())
        while wire.leaving and wire.leaving[0] <= now:
            wire.leaving.popleft()
        if len(wire.leaving) >= LIMIT or wire.in_flight + size > IN_FLIGHT:
            return None
        wire.in_flight += size
        wire.free = max(wire.free, now)
        if self._bandwidth:
            wire.free += 8 * size / self._bandwidth
            wire.leaving.append(wire.free)
        return wire.free

    def _arrive(self, target: Port, frame: Frame) -> None:
        with self._lock:
            if wire := self._wires.get(target):
                wire.in_flight -= len(frame.data)
        target.deliver(frame)

    def __str__(self) -> str:
        count = len(self.ports)
        return f"switch with {count} card{'' if count == 1 else 's'}"
