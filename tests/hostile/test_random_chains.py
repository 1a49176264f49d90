"""Rings full of nonsense: nothing raised, nothing written where the driver gave no room."""

import random
import struct
from collections.abc import Iterator
from typing import Any

import pytest

from tests.contracts.virtio import VirtioContract
from tests.hostile.cases import CHAINS, SEED, share
from tests.virtio.devices import DEVICES
from tests.virtio.driver import INDIRECT, NEXT, READY, TRANSPORTS, WRITE, Driver
from vnb.memory import Memory
from vnb.virtio.device import (
    ACKNOWLEDGE,
    DRIVER,
    EVENT_IDX,
    FEATURES_OK,
    INDIRECT_DESC,
    NEEDS_RESET,
    VERSION_1,
    Device,
)

CASES = share(CHAINS, len(DEVICES) * len(TRANSPORTS))
POOL = 2048
"""Pieces of each sort that cases are put together from: choosing is faster than making."""

BASE, SIZE = 0x8000_0000, 0x4000
ENTRIES = 8
DESC, AVAIL, USED, TABLES, DATA = (BASE + place for place in (0, 0x100, 0x200, 0x300, 0x800))
TABLE_ENTRIES = 6
QUEUE_BYTES = 6 + 8 * ENTRIES
FRESH = bytes(QUEUE_BYTES)

DESCRIPTOR = struct.Struct("<QIHH")
ADDRESSES = (*[None] * 12, BASE, BASE + SIZE - 1, BASE + SIZE, BASE - 1, 0, 1 << 63, (1 << 64) - 1)
LENGTHS = (*[16] * 4, *[1] * 3, *[512] * 3, 0, 8, 513, SIZE - 1, SIZE, 0xFFFF_FFFF)
FLAGS = (*[NEXT] * 6, *[NEXT | WRITE] * 4, *[WRITE] * 3, 0, INDIRECT, INDIRECT | NEXT, 0xFFFF)
FEATURES = tuple(VERSION_1 | more for more in (0, INDIRECT_DESC, EVENT_IDX, (1 << 64) - 1))


def descriptor(dice: random.Random, entries: int) -> bytes:
    address = dice.choice(ADDRESSES)
    if address is None:
        address = DATA + dice.randrange(SIZE - 0xC00)
    length, flags = dice.choice(LENGTHS), dice.choice(FLAGS)
    if flags & INDIRECT and dice.random() < 0.8:
        address, length = TABLES, 16 * dice.randint(0, TABLE_ENTRIES)
    return DESCRIPTOR.pack(address, length, flags, dice.randrange(entries + 1))


def orderly(dice: random.Random) -> list[bytes]:
    """Descriptors of a chain that starts at 0 and is in order: some to read, some to write."""
    reads, writes = dice.randint(1, 3), dice.randint(1, 3)
    found = []
    for place in range(reads + writes):
        address = DATA if place == 0 else DATA + 64 * dice.randrange(1, 180)
        length = 16 if place == 0 else 512 if place < reads else dice.choice((1, 20, 512))
        flags = (WRITE if place >= reads else 0) | (NEXT if place < reads + writes - 1 else 0)
        found.append(DESCRIPTOR.pack(address, length, flags, place + 1))
    return found


def ring(dice: random.Random, *, tidy: bool) -> bytes:
    """An available ring: with chains that start anywhere, or all of them at 0."""
    heads = [dice.randrange(ENTRIES + (dice.random() < 0.05)) for _ in range(ENTRIES)]
    more = dice.choice((1, 1, 1, 2, 3, 8, 9, 0, 0x8000))
    if tidy:
        heads, more = [0] * ENTRIES, dice.choice((1, 1, 2, 8))
    event, flags = dice.randrange(ENTRIES), dice.randrange(2)
    return struct.pack(f"<{3 + ENTRIES}H", flags, more, *heads, event)


class Cases:
    """Fills memory with one case after another: with nonsense, or with a few mistakes."""

    def __init__(self, dice: random.Random, phrases: list[bytes]) -> None:
        self.dice = dice
        self.wild = [descriptor(dice, ENTRIES) for _ in range(POOL)]
        self.nested = [descriptor(dice, TABLE_ENTRIES) for _ in range(POOL)]
        self.orderly = [orderly(dice) for _ in range(POOL)]
        self.rings = [[ring(dice, tidy=tidy) for _ in range(POOL)] for tidy in (False, True)]
        room = SIZE - (DATA - BASE)
        self.data = [(phrase * (room // len(phrase) + 1))[:room] for phrase in phrases]

    def place(self, memory: Memory) -> None:
        dice = self.dice
        table = dice.choices(self.wild, k=ENTRIES)
        tidy = dice.random() < 0.6
        if tidy:
            good = dice.choice(self.orderly).copy()
            for mistake in dice.choices(self.wild, k=dice.choice((0, 0, 1, 2))):
                good[int(dice.random() * len(good))] = mistake
            table[: len(good)] = good
        memory.write(DESC, b"".join(table))
        memory.write(TABLES, b"".join(dice.choices(self.nested, k=TABLE_ENTRIES)))
        memory.write(DATA, dice.choice(self.data))
        memory.write(AVAIL, dice.choice(self.rings[tidy]))
        memory.write(USED, FRESH)


def room(memory: bytes) -> Iterator[tuple[int, int]]:
    """(begin, end) of all that the device may write: the used ring, and what is WRITE."""
    yield USED - BASE, USED - BASE + QUEUE_BYTES
    for place, count in ((DESC - BASE, ENTRIES), (TABLES - BASE, TABLE_ENTRIES)):
        for address, length, flags, _ in DESCRIPTOR.iter_unpack(memory[place : place + 16 * count]):
            if flags & WRITE and address >= BASE and address + length <= BASE + SIZE:
                yield address - BASE, address - BASE + length


def unchanged(before: bytes, after: bytes) -> bool:
    """Whether all bytes are the same except where the device may write.

    A driver that gives its own rings as room gets new rings while the device goes on, and then
    nobody knows what it asked for.
    """
    if before == after:
        return True
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
    accepted = device.offered & features
    device.accept_features(0, accepted & 0xFFFF_FFFF)
    device.accept_features(1, accepted >> 32)
    device.set_status(ACKNOWLEDGE | DRIVER | FEATURES_OK)
    for field, value in (("size", ENTRIES), ("desc", DESC), ("avail", AVAIL), ("used", USED)):
        device.configure(queue, field, value)  # type: ignore[arg-type]
    device.configure(queue, "ready", 1)
    device.set_status(READY)
    assert device.status & READY == READY


@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize("kind", DEVICES)
def test_a_malformed_ring_harms_nobody(kind: type[VirtioContract], transport: Any) -> None:
    dice = random.Random(f"{SEED} {kind.__name__} {transport.__name__}")
    memory = Memory(SIZE, BASE)
    contract = kind()
    driver = Driver(contract.device(), transport, memory)
    device, port = driver.device, driver.port
    cases = Cases(dice, list(contract.phrases))
    queues = [*range(len(device.configs)), contract.queue, contract.queue]
    broken = served = 0
    for number in range(CASES):
        where = f"VNB_SEED={SEED}, case {number}"
        queue = dice.choice(queues)
        cases.place(memory)
        before = memory.read(BASE, SIZE)
        try:
            activate(device, queue, dice.choice(FEATURES))
            port.notify(queue)
            contract.stir()
            device.poll()
            driver.settle()
        except BaseException:
            print(where)
            raise
        assert unchanged(before, memory.read(BASE, SIZE)), where
        used = memory.read_u16(USED + 2)
        assert used <= ENTRIES, where
        served += used
        if device.status != READY:
            assert device.status == READY | NEEDS_RESET, where
            broken += 1
    assert broken > CASES // 10, "the cases must break rules"
    assert served > CASES // 10, "and some must not"
