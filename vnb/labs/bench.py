"""A workbench for drivers: devices without a machine, and a record of all that is done to them."""

import random
from collections.abc import Mapping
from typing import ClassVar

from vnb.bus import Bus
from vnb.host import block
from vnb.labs.driver import SLOT_COUNT, SLOT_SIZE, SLOTS
from vnb.memory import Memory
from vnb.virtio import Block, Device, EmptySlot, MmioTransport
from vnb.virtio.queue import Queue

RINGS = 0x8000_4000
"""Where on the bench a driver may lay out its rings."""

SPEED, TURBO, BELL = 1 << 3, 1 << 5, 1 << 37
"""Features of a Probe, which only takes SPEED together with TURBO."""


class Probe(Device):
    """A device that does nothing but agree on features and keep queues."""

    type = 42
    name = "probe"
    needs: ClassVar[Mapping[int, int]] = {SPEED: TURBO}

    def serve(self, index: int, queue: Queue) -> None:
        """Nothing."""


class Bench:
    """RAM, and the registers of one device; `log` has every access as (verb, offset, value)."""

    def __init__(self, device: Device) -> None:
        self.device = device
        for offence in "refused", "broken":  # the first of each would be logged, below the cell
            device.stats.add(offence)
        self.memory = Record(1 << 20)
        self.log: list[tuple[str, int, int]] = []
        self.line = False
        self._port = MmioTransport(device, self.memory, self._set_line, lambda function: None)

    def _set_line(self, level: bool) -> None:
        self.line = level

    def read(self, offset: int) -> int:
        """A register."""
        value = self._port.read(offset, 4)
        self.log.append(("read", offset, value))
        return value

    def write(self, offset: int, value: int) -> None:
        """A register."""
        self.log.append(("write", offset, value))
        self._port.write(offset, 4, value)

    def written(self, *offsets: int) -> list[int]:
        """What was written to these registers, in order."""
        return [value for verb, at, value in self.log if verb == "write" and at in offsets]


class Record(Memory):
    """RAM that remembers at which addresses it was written, in order."""

    def __init__(self, size: int) -> None:
        super().__init__(size)
        self.touched: list[int] = []

    def writable(self, address: int, length: int) -> memoryview:
        """A window to write through at once."""
        self.touched.append(address)
        return super().writable(address, length)

    def write_u16(self, address: int, value: int) -> None:
        """Store a little-endian 16-bit word."""
        self.touched.append(address)
        super().write_u16(address, value)


def probe(*queues: int) -> Bench:
    """A bench with a Probe on it that has queues of these sizes."""
    return Bench(Probe(SPEED | TURBO | BELL, queues))


def disk(sectors: int, draw: random.Random) -> tuple[Bench, bytes]:
    """A bench with a disk on it, and what is on the disk."""
    content = draw.randbytes(512 * sectors)
    drive = block.Drive(block.Memory(content))
    drive.patient = True  # it answers at once
    return Bench(Block(drive)), content


def slots(devices: Mapping[int, Device]) -> Bus:
    """A bus on which these slots hold a device, and all others none."""
    bus, memory = Bus(), Memory(1 << 20)
    for slot in range(SLOT_COUNT):
        place: MmioTransport | EmptySlot = EmptySlot()
        if slot in devices:
            place = MmioTransport(devices[slot], memory, lambda level: None, lambda later: None)
        bus.attach("virtio_mmio", SLOTS + slot * SLOT_SIZE, SLOT_SIZE, place)
    return bus
