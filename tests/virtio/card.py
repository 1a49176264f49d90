"""A network card with a driver, and the other end of its cable, for tests to look from both."""

import struct
from typing import NamedTuple

from tests.frames import ALICE, CAROL, ether
from tests.virtio.driver import EVERYTHING, READY, Driver
from vnb.frame import Frame
from vnb.host.ether import Switch
from vnb.virtio.device import NEEDS_RESET
from vnb.virtio.net import Net
from vnb.virtio.net_filter import Command

RX, TX, CONTROL = range(3)
HEADER = struct.Struct("<BBHHHHH")  # flags, gso, header length, gso size, start, offset, buffers
PLAIN = bytes(HEADER.size)


class Got(NamedTuple):
    """A frame that reached the driver."""

    header: tuple[int, ...]
    data: bytes


class Card:
    """A card with a driver, and the other end of its cable."""

    def __init__(
        self,
        features: int = EVERYTHING,
        mtu: int = 1500,
        size: int | None = None,
        lan: Switch | None = None,
        mac: bytes = ALICE,
    ) -> None:
        lan = lan or Switch()
        self.cable, self.far = lan.plug(mac), lan.plug()
        self.device = Net(self.cable, mtu)
        self.driver = Driver(self.device)
        self.cable.on_change = self.device.poll
        self.start(features, size)

    def start(self, features: int = EVERYTHING, size: int | None = None) -> "Card":
        """A driver that comes anew."""
        self.driver.start(features, size)
        self.rooms: dict[int, int] = {}  # head of a chain: its buffer
        return self

    @property
    def broken(self) -> bool:
        return self.driver.port.status == READY | NEEDS_RESET

    def transmit(self, data: bytes, header: bytes = PLAIN) -> list[Frame]:
        """What the other end receives when the driver sends this."""
        assert self.driver.ask(TX, [header, data]) == (0, b"")
        return list(iter(self.far.take, None))

    def give(self, *sizes: int) -> "Card":
        """Buffers to receive in."""
        ring = self.driver.rings[RX]
        for size in sizes:
            head = ring.free[0]
            self.rooms[head] = self.driver.send(RX, [], [size])[0]
        return self

    def lengths(self) -> list[int]:
        """The lengths of the buffers that came back."""
        return [length for _, length in self.driver.rings[RX].reap()]

    def got(self) -> list[Got]:
        """The frames that lie in the buffers that came back."""
        found: list[Got] = []
        pieces = [
            self.driver.memory.read(self.rooms.pop(head), length)
            for head, length in self.driver.rings[RX].reap()
        ]
        while pieces:
            header = HEADER.unpack(pieces[0][: HEADER.size])
            count = header[-1]
            assert 1 <= count <= len(pieces)
            found.append(Got(header, b"".join(pieces[:count])[HEADER.size :]))
            del pieces[:count]
        return found

    def receive(self, *frames: Frame) -> list[Got]:
        """What the driver gets of frames that the other end sends."""
        for frame in frames:
            self.far.send(frame)
        return self.got()

    def command(self, command: Command, data: bytes = b"") -> bool:
        """Whether the card obeyed."""
        length, answer = self.driver.ask(CONTROL, [struct.pack("<BB", *command) + data], [1])
        assert length == 1
        return answer == b"\0"

    def hears(self, to: bytes, *vlans: int) -> bool:
        """Whether a frame to this address reaches the driver."""
        if not self.rooms:
            self.give(1600)
        return len(self.receive(Frame(ether(b"?", to, CAROL, vlans=vlans)))) == 1
