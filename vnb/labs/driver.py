"""A VirtIO driver in six functions: the right answers to the exercises of notebook 03."""

import struct
from typing import NamedTuple, Protocol

from vnb.memory import Memory

# fmt: off
MAGIC, VERSION, DEVICE_ID              = 0x000, 0x004, 0x008
DEVICE_FEATURES, DEVICE_FEATURES_SEL   = 0x010, 0x014
DRIVER_FEATURES, DRIVER_FEATURES_SEL   = 0x020, 0x024
QUEUE_SEL, QUEUE_SIZE_MAX, QUEUE_SIZE  = 0x030, 0x034, 0x038
QUEUE_READY, QUEUE_NOTIFY              = 0x044, 0x050
INTERRUPT_STATUS, INTERRUPT_ACK        = 0x060, 0x064
STATUS                                 = 0x070
QUEUE_DESC, QUEUE_AVAIL, QUEUE_USED    = 0x080, 0x090, 0x0A0

ACKNOWLEDGE, DRIVER, FEATURES_OK, DRIVER_OK, FAILED = 1, 2, 8, 4, 128
NEXT, WRITE = 1, 2
VERSION_1 = 1 << 32
# fmt: on

SLOTS, SLOT_SIZE, SLOT_COUNT = 0x1000_1000, 0x1000, 8


class Rings(NamedTuple):
    """Where the three parts of a queue lie: physical addresses."""

    size: int
    desc: int
    avail: int
    used: int


class Registers(Protocol):
    """Of one device: 32 bits wide, by their offset."""

    def read(self, offset: int, /) -> int: ...
    def write(self, offset: int, value: int, /) -> None: ...


class Map(Protocol):
    """What the processor sees besides RAM."""

    def read(self, address: int, size: int, /) -> int: ...


def find(bus: Map) -> list[tuple[int, int]]:
    """(address, device ID) of every VirtIO device in the board's slots."""
    found = []
    for slot in range(SLOT_COUNT):
        base = SLOTS + slot * SLOT_SIZE
        known = bus.read(base + MAGIC, 4) == 0x7472_6976 and bus.read(base + VERSION, 4) == 2
        kind = bus.read(base + DEVICE_ID, 4)
        if known and kind != 0:
            found.append((base, kind))
    return found


def begin(device: Registers, wanted: int) -> int:
    """From reset to FEATURES_OK; the features agreed on, or 0 if the device refuses them."""
    device.write(STATUS, 0)
    device.write(STATUS, ACKNOWLEDGE)
    device.write(STATUS, ACKNOWLEDGE | DRIVER)
    offered = 0
    for half in 0, 1:
        device.write(DEVICE_FEATURES_SEL, half)
        offered |= device.read(DEVICE_FEATURES) << 32 * half
    accepted = offered & (wanted | VERSION_1)
    for half in 0, 1:
        device.write(DRIVER_FEATURES_SEL, half)
        device.write(DRIVER_FEATURES, accepted >> 32 * half & 0xFFFF_FFFF)
    device.write(STATUS, ACKNOWLEDGE | DRIVER | FEATURES_OK)
    if not device.read(STATUS) & FEATURES_OK:
        device.write(STATUS, FAILED)
        return 0
    return accepted


def set_queue(device: Registers, memory: Memory, number: int, base: int) -> Rings:
    """Empty rings in the page at `base` for queue `number`, with at most 8 entries."""
    device.write(QUEUE_SEL, number)
    size = min(8, device.read(QUEUE_SIZE_MAX))
    desc = base
    avail = desc + 16 * size
    used = (avail + 4 + 2 * size + 2 + 3) & ~3  # the next multiple of 4
    memory.fill(base, 4096)
    device.write(QUEUE_SIZE, size)
    for register, address in (QUEUE_DESC, desc), (QUEUE_AVAIL, avail), (QUEUE_USED, used):
        device.write(register, address & 0xFFFF_FFFF)
        device.write(register + 4, address >> 32)
    device.write(QUEUE_READY, 1)
    return Rings(size, desc, avail, used)


def offer(memory: Memory, rings: Rings, head: int, buffers: list[tuple[int, int, bool]]) -> None:
    """Chain (address, length, device writes) buffers from descriptor `head`, and offer them."""
    for place, (address, length, device_writes) in enumerate(buffers):
        number = head + place
        last = place == len(buffers) - 1
        flags = (WRITE if device_writes else 0) | (0 if last else NEXT)
        descriptor = struct.pack("<QIHH", address, length, flags, 0 if last else number + 1)
        memory.write(rings.desc + 16 * number, descriptor)
    index = memory.read_u16(rings.avail + 2)
    memory.write_u16(rings.avail + 4 + 2 * (index % rings.size), head)
    memory.write_u16(rings.avail + 2, (index + 1) & 0xFFFF)  # last: now the device may look


def take(memory: Memory, rings: Rings, seen: int) -> tuple[int, int] | None:
    """(head, bytes written) of the chain that came back after `seen` others, None if none did."""
    if memory.read_u16(rings.used + 2) == seen:
        return None
    entry = rings.used + 4 + 8 * (seen % rings.size)
    return memory.read_u32(entry), memory.read_u32(entry + 4)


def read_sector(disk: Registers, memory: Memory, rings: Rings, sector: int) -> bytes:
    """The 512 bytes of a sector; OSError if the disk says that it cannot be read."""
    header = rings.desc + 4096  # the page behind the rings is free
    data, status = header + 16, header + 16 + 512
    memory.write(header, struct.pack("<IIQ", 0, 0, sector))
    seen = memory.read_u16(rings.used + 2)
    offer(memory, rings, 0, [(header, 16, False), (data, 512, True), (status, 1, True)])
    disk.write(QUEUE_NOTIFY, 0)
    if take(memory, rings, seen) is None:
        raise OSError("the disk does not answer")
    disk.write(INTERRUPT_ACK, disk.read(INTERRUPT_STATUS))
    if memory.read(status, 1) != b"\0":
        raise OSError(f"the disk cannot read sector {sector}")
    return memory.read(data, 512)
