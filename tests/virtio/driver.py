"""The guest's side of VirtIO for tests: a driver over any transport, and rings to misuse.

`Ring` is a split queue as a driver holds it; its methods allow every mistake a driver can make.
`Mmio` and `Pci` reach a device's registers, each over its transport, with the same methods.
"""

import struct
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from vnb.bus import Line
from vnb.memory import Memory
from vnb.platform.pci import PciHost, Window
from vnb.virtio.device import (
    ACKNOWLEDGE,
    DRIVER,
    DRIVER_OK,
    FEATURES_OK,
    VERSION_1,
    Device,
    Post,
)
from vnb.virtio.mmio import MmioTransport
from vnb.virtio.pci import PciTransport

NEXT, WRITE, INDIRECT = 1, 2, 4
READY = ACKNOWLEDGE | DRIVER | FEATURES_OK | DRIVER_OK
PLAIN = VERSION_1
EVERYTHING = (1 << 128) - 1

RAM = 8 << 20
RINGS = 0x1_0000  # bytes from the start of RAM to the first ring
RING_BYTES = 0x4000
BUFFERS = 0x20_0000  # and to where buffers are cut off, one after another


class Mmio:
    """The registers of a device behind the MMIO transport."""

    def __init__(self, device: Device, memory: Memory, post: Post) -> None:
        self.line = False
        self.device = device
        self.registers = MmioTransport(device, memory, self._set_line, post)

    def _set_line(self, level: bool) -> None:
        self.line = level

    def wake(self) -> None:
        """It is always there."""

    def read(self, offset: int, size: int = 4) -> int:
        return self.registers.read(offset, size)

    def write(self, offset: int, value: int, size: int = 4) -> None:
        self.registers.write(offset, size, value)

    @property
    def status(self) -> int:
        return self.read(0x70)

    @status.setter
    def status(self, value: int) -> None:
        self.write(0x70, value)

    def features(self) -> int:
        found = 0
        for word in range(4):
            self.write(0x14, word)
            found |= self.read(0x10) << 32 * word
        return found

    def accept(self, features: int) -> None:
        for word in range(4):
            self.write(0x24, word)
            self.write(0x20, features >> 32 * word & 0xFFFF_FFFF)

    def queue_max(self, index: int) -> int:
        self.write(0x30, index)
        return self.read(0x34)

    def set_queue(self, index: int, size: int, desc: int, avail: int, used: int) -> None:
        self.write(0x30, index)
        self.write(0x38, size)
        for offset, address in ((0x80, desc), (0x90, avail), (0xA0, used)):
            self.write(offset, address & 0xFFFF_FFFF)
            self.write(offset + 4, address >> 32)

    def enable(self, index: int) -> bool:
        self.write(0x30, index)
        self.write(0x44, 1)
        return self.read(0x44) == 1

    def notify(self, index: int) -> None:
        self.write(0x50, index)

    def config(self, offset: int, size: int) -> int:
        return self.read(0x100 + offset, size)

    def set_config(self, offset: int, size: int, value: int) -> None:
        self.write(0x100 + offset, value, size)

    @property
    def generation(self) -> int:
        return self.read(0xFC)

    def interrupts(self) -> tuple[bool, bool]:
        """(used buffers, config change) since the last call; acknowledges both."""
        bits = self.read(0x60)
        assert self.line == (bits != 0)
        self.write(0x64, bits)
        return bits & 1 != 0, bits & 2 != 0


class Pci:
    """The registers of a device on a PCI bus, found as drivers find them: by its capabilities."""

    SLOT = 5
    COMMON, NOTIFY, ISR, CONFIG, WINDOW = 1, 2, 3, 4, 5  # types of capabilities

    def __init__(self, device: Device, memory: Memory, post: Post) -> None:
        self.line = False
        self.device = device
        self.window = Window(0x4000_0000, 0x4000_0000)
        ports = Window(0x300_0000, 0x1_0000)
        self.host = PciHost(self.window, ports, [self._set_line], [32], controller=1)
        self.host.plug(self.SLOT, lambda line: self._plug(device, memory, line, post))
        self.bar = 0x5000_0000
        self.wake()
        found = self.capabilities()
        self.structures = {kind: offset for kind, (_, offset, _) in found.items()}
        self.window_at = found[self.WINDOW][0]  # in config space

    def wake(self) -> None:
        """Let the card answer at `bar`, and reach for memory."""
        self.write_header(0x10, self.bar, 4)
        self.write_header(0x04, 0x6, 2)

    def _plug(self, device: Device, memory: Memory, line: Line, post: Post) -> PciTransport:
        self.registers = PciTransport(device, memory, line, post)
        return self.registers

    def _set_line(self, level: bool) -> None:
        self.line = level

    def header(self, offset: int, size: int) -> int:
        """Config space."""
        return self.host.read(self.SLOT << 15 | offset, size)

    def write_header(self, offset: int, value: int, size: int) -> None:
        self.host.write(self.SLOT << 15 | offset, size, value)

    def capabilities(self) -> dict[int, tuple[int, int, int]]:
        """By type: where it is in config space, and the offset and length of its structure."""
        found = {}
        place = self.header(0x34, 1)
        while place:
            assert self.header(place, 1) == 0x09
            kind = self.header(place + 3, 1)
            found[kind] = place, self.header(place + 8, 4), self.header(place + 12, 4)
            place = self.header(place + 1, 1)
        return found

    def read(self, offset: int, size: int = 4) -> int:
        """The BAR."""
        return self.window.read(self.bar - self.window.base + offset, size)

    def write(self, offset: int, value: int, size: int = 4) -> None:
        self.window.write(self.bar - self.window.base + offset, size, value)

    def common(self, offset: int, size: int) -> int:
        return self.read(self.structures[self.COMMON] + offset, size)

    def set_common(self, offset: int, value: int, size: int) -> None:
        self.write(self.structures[self.COMMON] + offset, value & (1 << 8 * size) - 1, size)

    @property
    def status(self) -> int:
        return self.common(0x14, 1)

    @status.setter
    def status(self, value: int) -> None:
        self.set_common(0x14, value, 1)

    def features(self) -> int:
        found = 0
        for word in range(4):
            self.set_common(0x00, word, 4)
            found |= self.common(0x04, 4) << 32 * word
        return found

    def accept(self, features: int) -> None:
        for word in range(4):
            self.set_common(0x08, word, 4)
            self.set_common(0x0C, features >> 32 * word, 4)

    def queue_max(self, index: int) -> int:
        self.set_common(0x16, index, 2)
        return self.common(0x18, 2)

    def set_queue(self, index: int, size: int, desc: int, avail: int, used: int) -> None:
        self.set_common(0x16, index, 2)
        self.set_common(0x18, size, 2)
        for offset, address in ((0x20, desc), (0x28, avail), (0x30, used)):
            self.set_common(offset, address, 4)
            self.set_common(offset + 4, address >> 32, 4)

    def enable(self, index: int) -> bool:
        self.set_common(0x16, index, 2)
        self.set_common(0x1C, 1, 2)
        return self.common(0x1C, 2) == 1

    def notify(self, index: int) -> None:
        self.write(self.structures[self.NOTIFY] + 4 * index, index & 0xFFFF, 2)

    def config(self, offset: int, size: int) -> int:
        return self.read(self.structures[self.CONFIG] + offset, size)

    def set_config(self, offset: int, size: int, value: int) -> None:
        self.write(self.structures[self.CONFIG] + offset, value, size)

    @property
    def generation(self) -> int:
        return self.common(0x15, 1)

    def interrupts(self) -> tuple[bool, bool]:
        """(used buffers, config change) since the last call; acknowledges both."""
        line = self.line
        bits = self.read(self.structures[self.ISR], 1)
        assert line == (bits != 0) and not self.line
        return bits & 1 != 0, bits & 2 != 0


TRANSPORTS = (Mmio, Pci)


class Ring:
    """A split queue in guest RAM, as its driver sees it."""

    def __init__(self, memory: Memory, base: int, size: int) -> None:
        self.memory = memory
        self.size = size
        self.desc = base
        self.avail = base + 16 * size
        self.used = (self.avail + 6 + 2 * size + 3) & ~3
        self.end = self.used + 6 + 8 * size
        self.offered = 0
        self.reaped = 0
        self.free = list(range(size))
        self.parts: dict[int, list[int]] = {}  # head of a chain: its descriptors

    def describe(self, index: int, address: int, length: int, flags: int, following: int) -> None:
        """Fill a descriptor."""
        data = struct.pack("<QIHH", address, length, flags, following)
        self.memory.write(self.desc + 16 * index, data)

    def offer(self, *heads: int) -> None:
        """Make chains available."""
        for head in heads:
            self.memory.write_u16(self.avail + 4 + 2 * (self.offered % self.size), head)
            self.offered = (self.offered + 1) & 0xFFFF
        self.memory.write_u16(self.avail + 2, self.offered)

    def chain(self, buffers: Sequence[tuple[int, int, bool]]) -> int:
        """Link (address, length, writable) buffers into a chain; its head."""
        taken = [self.free.pop(0) for _ in buffers]
        for place, (address, length, writable) in enumerate(buffers):
            last = place == len(buffers) - 1
            flags = (WRITE if writable else 0) | (0 if last else NEXT)
            self.describe(taken[place], address, length, flags, 0 if last else taken[place + 1])
        self.parts[taken[0]] = taken
        return taken[0]

    def indirect(self, buffers: Sequence[tuple[int, int, bool]], table: int, flags: int = 0) -> int:
        """The same through an indirect table, written at address `table`."""
        for place, (address, length, writable) in enumerate(buffers):
            last = place == len(buffers) - 1
            bits = (WRITE if writable else 0) | (0 if last else NEXT)
            data = struct.pack("<QIHH", address, length, bits, 0 if last else place + 1)
            self.memory.write(table + 16 * place, data)
        head = self.free.pop(0)
        self.describe(head, table, 16 * len(buffers), INDIRECT | flags, 0)
        self.parts[head] = [head]
        return head

    def reap(self) -> list[tuple[int, int]]:
        """(head, length) of every chain that came back since the last call."""
        found = []
        while self.reaped != self.used_idx:
            entry = self.memory.read_u64(self.used + 4 + 8 * (self.reaped % self.size))
            found.append((entry & 0xFFFF_FFFF, entry >> 32))
            self.reaped = (self.reaped + 1) & 0xFFFF
        for head, _ in found:
            self.free += self.parts.pop(head, [])
        return found

    @property
    def used_idx(self) -> int:
        return self.memory.read_u16(self.used + 2)

    @property
    def used_flags(self) -> int:
        return self.memory.read_u16(self.used)

    @property
    def avail_event(self) -> int:
        return self.memory.read_u16(self.used + 4 + 8 * self.size)

    def set_used_event(self, value: int) -> None:
        self.memory.write_u16(self.avail + 4 + 2 * self.size, value)

    def set_avail_flags(self, value: int) -> None:
        self.memory.write_u16(self.avail, value)


class Driver:
    """A well-behaved driver, until a test reaches into its rings."""

    def __init__(self, device: Device, transport: Any = Mmio, memory: Memory | None = None) -> None:
        self.memory = memory or Memory(RAM)
        self.device = device
        self.posted: deque[Callable[[], object]] = deque()
        self.port = transport(device, self.memory, self.posted.append)
        self.rings: dict[int, Ring] = {}
        self._next_buffer = self.memory.base + BUFFERS

    def settle(self) -> None:
        """Do what was posted to the machine's thread, which this one plays."""
        while self.posted:
            self.posted.popleft()()

    def buffer(self, content: bytes | int) -> int:
        """The address of fresh RAM that holds `content`, or so many bytes of 0xAA."""
        data = content if isinstance(content, bytes) else b"\xaa" * content
        address = self._next_buffer
        self._next_buffer += (len(data) + 15) // 16 * 16
        if self._next_buffer > self.memory.base + self.memory.size:
            address = self.memory.base + BUFFERS
            self._next_buffer = address + (len(data) + 15) // 16 * 16
        self.memory.write(address, data)
        return address

    def negotiate(self, features: int = EVERYTHING) -> bool:
        """Up to FEATURES_OK with these of the offered features; whether the device agreed."""
        self.port.status = 0
        self.port.status = ACKNOWLEDGE
        self.port.status = ACKNOWLEDGE | DRIVER
        self.port.accept(features & self.port.features())
        self.port.status = ACKNOWLEDGE | DRIVER | FEATURES_OK
        return self.port.status & FEATURES_OK != 0

    def place(self, index: int, size: int | None = None) -> Ring:
        """Zeroed rings for queue `index`, and its registers filled in; not enabled yet."""
        size = size or self.port.queue_max(index)
        base = self.memory.base + RINGS + RING_BYTES * index
        ring = self.rings[index] = Ring(self.memory, base, size)
        self.memory.fill(base, RING_BYTES)
        self.port.set_queue(index, size, ring.desc, ring.avail, ring.used)
        return ring

    def start(
        self, features: int = EVERYTHING, size: int | None = None, queues: int | None = None
    ) -> "Driver":
        """From reset to DRIVER_OK, with the first `queues` queues, or all of them."""
        assert self.negotiate(features)
        self.rings = {}
        for index in range(len(self.device.configs) if queues is None else queues):
            self.place(index, size)
            assert self.port.enable(index)
        self.port.status = READY
        assert self.port.status == READY
        self.port.interrupts()
        return self

    def send(
        self, index: int, out: Sequence[bytes] = (), room: Sequence[int] = (), kick: bool = True
    ) -> list[int]:
        """Offer a chain of these buffers; the addresses of all of them."""
        addresses = [self.buffer(part) for part in (*out, *room)]
        lengths = [*map(len, out), *room]
        ring = self.rings[index]
        buffers = [
            (address, length, place >= len(out))
            for place, (address, length) in enumerate(zip(addresses, lengths, strict=True))
        ]
        ring.offer(ring.chain(buffers))
        if kick:
            self.port.notify(index)
        return addresses

    def ask(
        self, index: int, out: Sequence[bytes] = (), room: Sequence[int] = ()
    ) -> tuple[int, bytes]:
        """Send a chain that must come back at once: (used length, all the room's bytes)."""
        addresses = self.send(index, out, room)
        ((_, length),) = self.rings[index].reap()
        answer = zip(addresses[len(out) :], room, strict=True)
        return length, b"".join(self.memory.read(address, count) for address, count in answer)
