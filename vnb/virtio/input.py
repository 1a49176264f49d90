"""Input devices: groups of events go to the guest, lights come back [virtio 5.8]."""

import struct
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Protocol

from vnb.errors import UsageError
from vnb.virtio.device import Device
from vnb.virtio.queue import Chain, Queue

EVENTS, STATUS = 0, 1  # the queues [virtio 5.8.2]
QUEUE_SIZE = 64

EVENT = struct.Struct("<HHi")  # type, code, value [virtio 5.8.6]

# The config space [virtio 5.8.4]: the driver selects, and reads what is there of that many bytes.
CONFIG = struct.Struct("<BBB5x128s")  # select, subsel, size, then that many bytes
SELECTORS = 2  # bytes that the driver may write
LONGEST = 128

# What it may select [virtio 5.8.5]; codes of EV_BITS and ABS_INFO are in subsel, else that is 0.
ID_NAME, ID_SERIAL, ID_DEVIDS, PROP_BITS, EV_BITS, ABS_INFO = 0x01, 0x02, 0x03, 0x10, 0x11, 0x12

DEVIDS = struct.Struct("<HHHH")  # bus, vendor, product, version
BUS_VIRTUAL, VENDOR, REVISION = 0x06, 0x1AF4, 1
AXIS = struct.Struct("<IIIII")  # min, max, fuzz, flat, resolution


class Source(Protocol):
    """The host's side: what kind of device it is, and what the user does with it."""

    @property
    def title(self) -> str: ...
    @property
    def product(self) -> int: ...
    @property
    def properties(self) -> Collection[int]: ...
    @property
    def codes(self) -> Mapping[int, Collection[int]]: ...
    @property
    def axes(self) -> Mapping[int, int]: ...

    def take(self) -> Sequence[tuple[int, int, int]]:
        """The next group of (type, code, value), whole; empty if there is none."""

    def status(self, kind: int, code: int, value: int, /) -> None:
        """The guest sends the device an event."""

    def reset(self) -> None:
        """The driver has gone, and with it all that it was told."""


class Input(Device):
    """A keyboard, a mouse, a tablet or a touch screen: whatever `source` is.

    A group of events waits until the driver has given a buffer for each, and is then passed on
    whole; one that is longer than the driver's queue is dropped whole. `serial` is what the
    guest can tell two of a kind by, at most 128 ASCII characters.
    """

    type = 18
    name = "input"

    def __init__(self, source: Source, serial: str = "") -> None:
        if not serial.isascii() or len(serial) > LONGEST:
            raise UsageError(f"serial={serial!r}: at most {LONGEST} ASCII characters")
        self._source = source
        self._group: Sequence[tuple[int, int, int]] = ()  # one that waits for buffers
        self._room: list[Chain] = []  # and those that it has
        self._answers = _answers(source, serial)
        super().__init__(0, [QUEUE_SIZE, QUEUE_SIZE], self._answer(0, 0))

    def poll(self) -> None:
        if self.live:
            self.run(self._deliver)

    def write_config(self, offset: int, size: int, value: int) -> None:
        """Select what there is to read; nothing else can be written [virtio 5.8.5.2]."""
        if offset + size > SELECTORS:
            return super().write_config(offset, size, value)
        chosen = bytearray(self.config[:SELECTORS])
        chosen[offset : offset + size] = value.to_bytes(size, "little")
        self.config = self._answer(*chosen)

    def activate(self) -> None:
        self._deliver()

    def deactivate(self) -> None:
        self._group = ()
        self._room.clear()
        self._source.reset()

    def serve(self, index: int, queue: Queue) -> None:
        if index == EVENTS:
            return self._deliver()
        for chain in queue:
            self._source.status(*EVENT.unpack(chain.reader.read(EVENT.size)))
            self.stats.add("status events")
            queue.push(chain, 0)

    def _deliver(self) -> None:
        """Pass on every group for which there is room."""
        queue = self.queue(EVENTS)
        while queue and (group := self._group or self._source.take()):
            self._group = group
            if len(group) <= queue.size:
                while len(self._room) < len(group):
                    chain = queue.pop()
                    if chain is None:
                        return
                    self._room.append(chain)
                for event in group:
                    chain = self._room.pop(0)
                    chain.writer.write(EVENT.pack(*event))
                    queue.push(chain, EVENT.size)
                self.stats.add("events", len(group))
            else:
                self.stats.add("dropped")
            self._group = ()

    def _answer(self, select: int, subsel: int) -> bytes:
        """The config space when these are selected: size 0 for all that there is not."""
        found = self._answers.get((select, subsel), b"")
        return CONFIG.pack(select, subsel, len(found), found)


def _answers(source: Source, serial: str) -> dict[tuple[int, int], bytes]:
    """What there is to read of this device, by (select, subsel)."""
    return {
        (ID_NAME, 0): source.title.encode()[:LONGEST],
        (ID_SERIAL, 0): serial.encode(),
        (ID_DEVIDS, 0): DEVIDS.pack(BUS_VIRTUAL, VENDOR, source.product, REVISION),
        (PROP_BITS, 0): _bitmap(source.properties),
        **{(EV_BITS, kind): _bitmap(codes) for kind, codes in source.codes.items()},
        **{(ABS_INFO, axis): AXIS.pack(0, most, 0, 0, 0) for axis, most in source.axes.items()},
    }


def _bitmap(codes: Iterable[int]) -> bytes:
    """As many bytes as the highest code needs."""
    bits = sum(1 << code for code in codes)
    return bits.to_bytes((bits.bit_length() + 7) // 8, "little")
