"""The exercises of notebook 03: what can go wrong in a driver, looked for piece by piece."""

import random
import struct
from collections.abc import Sequence
from typing import Any

from vnb.labs import bench, driver
from vnb.labs.bench import BELL, RINGS, SPEED, TURBO, Bench
from vnb.labs.driver import (
    ACKNOWLEDGE,
    DEVICE_FEATURES_SEL,
    DRIVER,
    DRIVER_OK,
    FAILED,
    FEATURES_OK,
    NEXT,
    QUEUE_NOTIFY,
    QUEUE_READY,
    SLOT_SIZE,
    SLOTS,
    STATUS,
    VERSION_1,
    WRITE,
    Rings,
)
from vnb.labs.exercise import Exercise, Wrong, asked, called, expect

PAGE = 4096
SIZE = 8

STEPS = (
    (ACKNOWLEDGE, "ACKNOWLEDGE"),
    (ACKNOWLEDGE | DRIVER, "ACKNOWLEDGE | DRIVER"),
    (ACKNOWLEDGE | DRIVER | FEATURES_OK, "ACKNOWLEDGE | DRIVER | FEATURES_OK"),
)


def find(answer: object) -> str:
    """On boards with other devices in other slots."""
    for places in {3: bench.Probe(0, [])}, {0: bench.Probe(0, []), 7: bench.Probe(0, [])}, {}:
        bus = bench.slots(places)
        found = list(asked(answer, bus))
        right = [(SLOTS + slot * SLOT_SIZE, bench.Probe.type) for slot in places]
        if any(kind == 0 for _, kind in found):
            raise Wrong("a slot with device ID 0 is empty; do not list it")
        where = ", ".join(map(str, places)) or "none"
        words = f"with devices in slots {where} it finds {_hexadecimal(found)}"
        expect(sorted(found) == right, f"{words}, not {_hexadecimal(right)}")
    return "every device is found, on three different boards."


def begin(answer: object) -> str:
    """With a device that agrees, and with one that refuses."""
    easy = bench.probe(8)
    found = asked(answer, easy, TURBO | BELL)
    statuses = easy.written(STATUS)
    expect(statuses, "it never writes the STATUS register")
    expect(statuses[0] == 0, "begin with a reset: the first thing to write is STATUS = 0")
    for number, (value, words) in enumerate(STEPS):
        wrong = statuses[number + 1 : number + 2] != [value]
        got = f"{statuses[number + 1]:#x}" if number + 1 < len(statuses) else "nothing more"
        if wrong:
            raise Wrong(f"after {number + 1} writes of STATUS {words} is due, but it writes {got}")
    expect(len(statuses) == 4, "stop at FEATURES_OK: DRIVER_OK comes when the queues are there")
    _check_features(easy, found)
    hard = bench.probe(8)
    found = called(answer, hard, SPEED)
    expect(
        ("read", STATUS) in [(verb, at) for verb, at, _ in hard.log[-4:]],
        "a device may refuse: read STATUS after setting FEATURES_OK",
    )
    expect(
        hard.device.status & FAILED and found == 0,
        "this device refuses the features (FEATURES_OK stays 0): set FAILED and return 0",
    )
    return "the steps come in order, both halves of the features count, and a refusal is noticed."


def _check_features(device: Bench, found: object) -> None:
    halves = set(device.written(DEVICE_FEATURES_SEL))
    expect(halves == {0, 1}, "features are 64 bits: select half 0 and half 1, and read each")
    accepted = device.device.accepted
    expect(accepted & VERSION_1, "always accept VERSION_1 (bit 32): without it, it is old VirtIO")
    expect(accepted & BELL, "a wanted feature of the upper half was offered, but not accepted")
    expect(accepted & TURBO, "a wanted feature of the lower half was offered, but not accepted")
    right = VERSION_1 | TURBO | BELL
    expect(accepted == right, f"it accepts {accepted:#x}, but only {right:#x} is wanted and known")
    expect(found == accepted, f"return what was accepted: {accepted:#x}, not {_hexadecimal(found)}")


def set_queue(answer: object) -> str:
    """For queues that are larger and smaller than the driver wants."""
    for number, largest in (0, 256), (1, 4), (1, 8):
        device = bench.probe(64, largest) if number else bench.probe(largest)
        driver.begin(device, 0)
        device.log.clear()
        device.memory.fill(RINGS - PAGE, 3 * PAGE, 0xAA)
        found = asked(answer, device, device.memory, number, RINGS)
        expect(
            isinstance(found, tuple) and len(found) == 4, "return Rings(size, desc, avail, used)"
        )
        _check_rings(device, Rings(*found), number, largest)
    return "large queues and small ones, the parts aligned and apart, and READY last."


def _check_rings(device: Bench, rings: Rings, number: int, largest: int) -> None:
    size = min(largest, SIZE)
    expect(
        rings.size == size, f"the device allows {largest}: take {size} entries, not {rings.size}"
    )
    parts = (
        ("descriptor table", rings.desc, 16 * size, 16),
        ("avail ring", rings.avail, 6 + 2 * size, 2),
        ("used ring", rings.used, 6 + 8 * size, 4),
    )
    for place, (name, address, length, alignment) in enumerate(parts):
        expect(address % alignment == 0, f"the {name} at {address:#x}: align it to {alignment}")
        inside = address >= RINGS and address + length <= RINGS + PAGE
        expect(inside, f"the {name} at {address:#x} leaves the page at {RINGS:#x}")
        for other, at, count, _ in parts[:place]:
            apart = address + length <= at or at + count <= address
            expect(apart, f"the {name} ({length} bytes at {address:#x}) overlaps the {other}")
        empty = device.memory.read(address, length) == bytes(length)
        expect(empty, f"the {name} must be zeros before the device sees it")
    writes = [at for verb, at, _ in device.log if verb == "write"]
    expect(QUEUE_READY in writes, f"queue {number} is not ready: write 1 to QUEUE_READY")
    late = writes.index(QUEUE_READY) == len(writes) - 1
    expect(late, "QUEUE_READY comes last: what is written to the others later has no effect")
    config = device.device.configs[number]
    expect(config.ready, f"queue {number} is not ready: is it selected, and QUEUE_READY 1?")
    expect(config.size == size, f"QUEUE_SIZE of queue {number} is {config.size}, not {size}")
    for register, (name, address, *_) in zip(("desc", "avail", "used"), parts, strict=True):
        told = getattr(config, register)
        expect(told == address, f"the device has the {name} at {told:#x}, not {address:#x}")
    for neighbour in (RINGS - PAGE, RINGS + PAGE):
        clean = device.memory.read(neighbour, PAGE) == b"\xaa" * PAGE
        expect(clean, "it writes outside its page")


def offer(answer: object) -> str:
    """Chains of one to three buffers, at the ring's beginning, its end, and the index's end."""
    memory, rings = bench.Record(1 << 20), _rings()
    buffers = [(0x8001_0000, 16, False), (0x1_8002_0000, 512, True), (0x8003_0000, 1, True)]
    for index, head, count in (0, 0, 3), (1, 3, 1), (13, 5, 2), (0xFFFF, 2, 3):
        memory.fill(rings.desc, PAGE)
        memory.write_u16(rings.avail + 2, index)
        memory.touched.clear()
        called(answer, memory, rings, head, buffers[:count])
        expect(memory.touched, "it writes nothing to memory yet")
        _check_descriptors(memory, rings, head, buffers[:count])
        place = rings.avail + 4 + 2 * (index % SIZE)
        found = struct.unpack(f"<{SIZE}H", memory.read(rings.avail + 4, 2 * SIZE))
        expect(
            memory.read_u16(place) == head,
            f"with avail.idx = {index} the head {head} belongs into avail.ring[{index % SIZE}];"
            f" the ring holds {found}",
        )
        told = memory.read_u16(rings.avail + 2)
        right = (index + 1) & 0xFFFF
        expect(told == right, f"avail.idx was {index}: it has to be {right} now, not {told}")
        late = memory.touched[-1] == rings.avail + 2
        expect(late, "write avail.idx last: the device may look as soon as it has changed")
    return "descriptors, ring and index are right, also where the counting wraps around."


def _check_descriptors(
    memory: bench.Record, rings: Rings, head: int, buffers: Sequence[tuple[int, int, bool]]
) -> None:
    for number in range(SIZE):
        place = number - head
        found = struct.unpack("<QIHH", memory.read(rings.desc + 16 * number, 16))
        if not 0 <= place < len(buffers):
            expect(found == (0, 0, 0, 0), f"descriptor {number} is not part of the chain: leave it")
            continue
        address, length, device_writes = buffers[place]
        last = place == len(buffers) - 1
        flags = (WRITE if device_writes else 0) | (0 if last else NEXT)
        right = address, length, flags, found[3] if last else number + 1
        names = "address", "length", "flags", "next"
        for name, got, want in zip(names, found, right, strict=True):
            expect(got == want, f"descriptor {number}: {name} is {got:#x} and should be {want:#x}")


def take(answer: object) -> str:
    """Nothing there, something there, and where the counting wraps around."""
    memory, rings = bench.Record(1 << 20), _rings()
    for seen, head, written in (0, 3, 512), (7, 2, 1), (8, 6, 0), (0xFFFF, 1, 77):
        memory.fill(rings.used, 6 + 8 * SIZE, 0xEE)
        memory.write_u16(rings.used + 2, seen)
        found = called(answer, memory, rings, seen)
        expect(found is None, f"used.idx is {seen}, as many as were seen: nothing is new, so None")
        memory.write_u32(rings.used + 4 + 8 * (seen % SIZE), head)
        memory.write_u32(rings.used + 8 + 8 * (seen % SIZE), written)
        memory.write_u16(rings.used + 2, (seen + 1) & 0xFFFF)
        found = asked(answer, memory, rings, seen)
        words = f"seen = {seen}, used.idx = {(seen + 1) & 0xFFFF}, a ring of {SIZE}"
        expect(found == (head, written), f"{words}: {found} should be {(head, written)}")
    return "what is new is found, and what is not new is not."


def read_sector(answer: object) -> str:
    """A disk of random bytes, more requests than the ring has places, and one beyond the end."""
    device, content = bench.disk(64, random.Random(3))
    driver.begin(device, 0)
    rings = driver.set_queue(device, device.memory, 0, RINGS)
    device.write(STATUS, ACKNOWLEDGE | DRIVER | FEATURES_OK | DRIVER_OK)
    for sector in (0, 63, *range(1, 20)):
        device.log.clear()
        found = asked(answer, device, device.memory, rings, sector)
        expect(device.written(QUEUE_NOTIFY), "the device never hears of it: write QUEUE_NOTIFY")
        right = content[512 * sector : 512 * (sector + 1)]
        expect(isinstance(found, bytes) and len(found) == 512, "return 512 bytes")
        expect(found == right, f"these are not the bytes of sector {sector}")
        expect(not device.line, "the interrupt is still there: write INTERRUPT_ACK")
    try:
        called(answer, device, device.memory, rings, 64)
    except OSError:
        return "21 sectors read right, and an unreadable one reported."
    raise Wrong("sector 64 is beyond the disk's end, and its status is not 0: raise OSError")


def _rings() -> Rings:
    device = bench.probe(SIZE)
    driver.begin(device, 0)
    return driver.set_queue(device, device.memory, 0, RINGS)


def _hexadecimal(found: Any) -> str:
    """With addresses as people write them."""
    if isinstance(found, int):
        return f"{found:#x}"
    return "[" + ", ".join(f"({base:#x}, {kind})" for base, kind in found) + "]"


EXERCISES = {
    "03.1": Exercise(driver.find, find),
    "03.2": Exercise(driver.begin, begin),
    "03.3": Exercise(driver.set_queue, set_queue),
    "03.4": Exercise(driver.offer, offer),
    "03.5": Exercise(driver.take, take),
    "03.6": Exercise(driver.read_sector, read_sector),
}
