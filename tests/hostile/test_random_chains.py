"""Rings full of nonsense: nothing raised, nothing written where the driver gave no room."""

import os
import random
import struct
from collections.abc import Iterator

import pytest

from vnb.host.block import Memory as Disk
from vnb.memory import Memory
from vnb.virtio.block import Block
from vnb.virtio.console import Console, Port
from vnb.virtio.device import (
    ACKNOWLEDGE,
    DRIVER,
    DRIVER_OK,
    EVENT_IDX,
    FEATURES_OK,
    INDIRECT_DESC,
    NEEDS_RESET,
    VERSION_1,
    Device,
)

CASES = int(os.environ.get("VNB_CASES", "20000"))
"""Cases for each device; a release is tried with millions."""

SEED = int(os.environ.get("VNB_SEED", "1"))

LIVE = ACKNOWLEDGE | DRIVER | FEATURES_OK | DRIVER_OK
EVERYTHING = (1 << 64) - 1

NEXT, WRITE, INDIRECT = 1, 2, 4
BASE, SIZE = 0x8000_0000, 0x8000
ENTRIES = 8
DESC, AVAIL, USED, TABLES, DATA = (BASE + place for place in (0, 0x100, 0x200, 0x300, 0x800))
TABLE_ENTRIES = 6
QUEUE_BYTES = 6 + 8 * ENTRIES

ADDRESSES = (*[None] * 12, BASE, BASE + SIZE - 1, BASE + SIZE, BASE - 1, 0, 1 << 63, (1 << 64) - 1)
LENGTHS = (*[16] * 4, *[1] * 3, *[512] * 3, 0, 8, 513, 0x7FFF, 0x8000, 0xFFFF_FFFF)
FLAGS = (*[NEXT] * 6, *[NEXT | WRITE] * 4, *[WRITE] * 3, 0, INDIRECT, INDIRECT | NEXT, 0xFFFF)
HEADERS = [
    struct.pack("<QQ", kind, sector)
    for kind in (0, 1, 4, 8, 11, 13, 2, 0xFFFF_FFFF)
    for sector in (0, 3, 63, 64, 1 << 60)
]
CONTROLS = [
    struct.pack("<IHH", port, event, value)
    for port in (0, 1, 2, 0xFFFF_FFFF)
    for event in range(9)
    for value in (0, 1)
]


def descriptor(dice: random.Random, entries: int) -> bytes:
    address = dice.choice(ADDRESSES)
    if address is None:
        address = DATA + dice.randrange(SIZE - 0xC00)
    length, flags = dice.choice(LENGTHS), dice.choice(FLAGS)
    if flags & INDIRECT and dice.random() < 0.8:
        address, length = TABLES, 16 * dice.randint(0, TABLE_ENTRIES)
    return struct.pack("<QIHH", address, length, flags, dice.randrange(entries + 1))


def orderly(dice: random.Random) -> list[bytes]:
    """Descriptors of a chain that starts at 0 and is in order: some to read, some to write."""
    reads, writes = dice.randint(1, 3), dice.randint(1, 3)
    found = []
    for place in range(reads + writes):
        address = DATA if place == 0 else DATA + 64 * dice.randrange(1, 300)
        length = 16 if place == 0 else 512 if place < reads else dice.choice((1, 20, 512))
        flags = (WRITE if place >= reads else 0) | (NEXT if place < reads + writes - 1 else 0)
        found.append(struct.pack("<QIHH", address, length, flags, place + 1))
    return found


def case(dice: random.Random, memory: Memory) -> None:
    """Fill the ring, the tables and the buffers: with nonsense, or with a few mistakes."""
    table = [descriptor(dice, ENTRIES) for _ in range(ENTRIES)]
    heads = [dice.randrange(ENTRIES + (dice.random() < 0.05)) for _ in range(ENTRIES)]
    more = dice.choice((1, 1, 1, 2, 3, 8, 9, 0, 0x8000))
    if dice.random() < 0.6:
        good = orderly(dice)
        heads, more = [0] * ENTRIES, dice.choice((1, 1, 2, 8))
        for _ in range(dice.choice((0, 0, 1, 2))):
            good[dice.randrange(len(good))] = descriptor(dice, ENTRIES)
        table[: len(good)] = good
    memory.write(DESC, b"".join(table))
    memory.write(TABLES, b"".join(descriptor(dice, TABLE_ENTRIES) for _ in range(TABLE_ENTRIES)))
    chunk = dice.choice((dice.choice(HEADERS), dice.choice(CONTROLS) * 2))
    memory.write(DATA, chunk * ((SIZE - 0x800) // len(chunk)))
    event, flags = dice.randrange(ENTRIES), dice.randrange(2)
    memory.write(AVAIL, struct.pack(f"<{3 + ENTRIES}H", flags, more, *heads, event))
    memory.write(USED, bytes(QUEUE_BYTES))


def room(memory: bytes) -> Iterator[tuple[int, int]]:
    """(begin, end) of all that the device may write: the used ring, and what is WRITE."""
    yield USED - BASE, USED - BASE + QUEUE_BYTES
    for place, count in ((DESC - BASE, ENTRIES), (TABLES - BASE, TABLE_ENTRIES)):
        for address, length, flags, _ in struct.iter_unpack(
            "<QIHH", memory[place : place + 16 * count]
        ):
            if flags & WRITE and address >= BASE and address + length <= BASE + SIZE:
                yield address - BASE, address - BASE + length


def unchanged(before: bytes, after: bytes) -> bool:
    """Whether all bytes are the same except where the device may write.

    A driver that gives its own rings as room gets new rings while the device goes on, and then
    nobody knows what it asked for.
    """
    masked = bytearray(before), bytearray(after)
    used, *buffers = room(before)
    if any(begin < DATA - BASE for begin, _ in buffers):
        return True
    for begin, end in (used, *buffers):
        for memory in masked:
            memory[begin:end] = bytes(end - begin)
    return masked[0] == masked[1]


def activate(device: Device, queue: int, features: int) -> None:
    """From reset to DRIVER_OK with this one queue."""
    device.set_status(0)
    device.set_status(ACKNOWLEDGE | DRIVER)
    accepted = device.offered & features | VERSION_1
    for word in (0, 1):
        device.accept_features(word, accepted >> 32 * word & 0xFFFF_FFFF)
    device.set_status(ACKNOWLEDGE | DRIVER | FEATURES_OK)
    for field, value in (("size", ENTRIES), ("desc", DESC), ("avail", AVAIL), ("used", USED)):
        device.configure(queue, field, value)
    device.configure(queue, "ready", 1)
    device.set_status(LIVE)
    assert device.status == LIVE


class Chatty:
    """A host that always has something to say and never listens."""

    def output(self, data: bytes) -> None: ...

    def take(self, limit: int) -> bytes:
        return b"input"


def console() -> Console:
    return Console([Port(Chatty(), console=True), Port(Chatty(), "b")])


@pytest.mark.parametrize(
    ("name", "queue"), [("block", 0), ("console", 0), ("console", 1), ("console", 3)]
)
def test_a_malformed_ring_harms_nobody(name: str, queue: int) -> None:
    dice = random.Random(SEED)
    memory = Memory(SIZE, BASE)
    device: Device = Block(Disk(64 * 512)) if name == "block" else console()
    device.connect(memory, lambda queue: None, lambda function: None)
    broken = served = 0
    for number in range(CASES):
        case(dice, memory)
        activate(device, queue, dice.choice((0, INDIRECT_DESC, EVENT_IDX, EVERYTHING)))
        before = memory.read(BASE, SIZE)
        device.notify(queue)
        if isinstance(device, Console):
            device.poll()
        where = f"seed {SEED}, case {number}"
        assert unchanged(before, memory.read(BASE, SIZE)), where
        used = memory.read_u16(USED + 2)
        assert used <= ENTRIES, where
        served += used
        if device.status != LIVE:
            assert device.status == LIVE | NEEDS_RESET, where
            broken += 1
    assert broken > CASES // 10, "the cases must break rules"
    assert served > CASES // 10, "and some must not"
