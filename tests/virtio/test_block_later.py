"""The block device where its disk takes time, or changes its size."""

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

import pytest

from tests.virtio.devices import CONTENT, block_header
from tests.virtio.driver import EVERYTHING, READY, Driver
from tests.virtio.test_block import SECTORS, ask, ranges
from vnb.errors import HostError
from vnb.host.block import Drive, Memory
from vnb.virtio.block import (
    IOERR,
    MAX_DATA,
    MOST_COPIED,
    OK,
    T_DISCARD,
    T_FLUSH,
    T_IN,
    T_OUT,
    T_WRITE_ZEROES,
    Block,
)
from vnb.virtio.device import EVENT_IDX


class Later:
    """A backend that does nothing before `finish` is called, with the order to do it in."""

    read_only = False

    def __init__(self, sectors: int = 1 << 16) -> None:
        self.sector_count = sectors
        self.waiting: list[tuple[str, Callable[[Future[Any]], object], int]] = []
        self.dropped = 0

    def read_async(self, offset: int, windows: Any, done: Any) -> bool:
        return self._later("read", done, sum(map(len, windows)))

    def write_async(self, offset: int, windows: Any, stable: bool, done: Any) -> bool:
        return self._later("write", done, sum(map(len, windows)))

    def flush_async(self, done: Any) -> bool:
        return self._later("flush", done, 0)

    def discard_async(self, ranges: Any, done: Any) -> bool:
        return self._later("discard", done, 0)

    def write_zeroes_async(self, ranges: Any, stable: bool, done: Any) -> bool:
        return self._later("zeroes", done, 0)

    def drop(self) -> None:
        self.dropped += 1

    def _later(self, what: str, done: Any, count: int) -> bool:
        self.waiting.append((what, done, count))
        return False

    def finish(self, place: int = 0, error: Exception | None = None) -> str:
        """The operation at this place comes to its end, on a thread of its own."""
        what, done, count = self.waiting.pop(place)
        future: Future[Any] = Future()
        if error is not None:
            future.set_exception(error)
        else:
            future.set_result(bytearray(b"r" * count) if what == "read" else True)
        thread = threading.Thread(target=done, args=(future,))
        thread.start()
        thread.join()
        return what


def test_requests_end_in_any_order() -> None:
    later = Later()
    driver = Driver(Block(later)).start(EVERYTHING & ~EVENT_IDX)
    reads = [driver.send(0, [block_header(T_IN, 0)], [512, 1]) for _ in range(3)]
    write = driver.send(0, [block_header(T_OUT, 0), b"x" * 512], [1])
    flush = driver.send(0, [block_header(T_FLUSH, 0)], [1])
    assert driver.rings[0].reap() == []
    assert driver.port.interrupts() == (False, False)
    for place, what, status in ((4, "flush", flush[1]), (1, "read", reads[1][2])):
        assert later.finish(place) == what
        assert driver.memory.read(status, 1) == b"\xaa", "only the machine's thread answers"
        driver.settle()
        assert driver.memory.read(status, 1) == b"\0"
        assert len(driver.rings[0].reap()) == 1
        assert driver.port.interrupts() == (True, False)
    assert driver.memory.read(reads[1][1], 512) == b"r" * 512
    assert driver.memory.read(reads[0][1], 512) == b"\xaa" * 512
    for _ in range(3):
        later.finish()
    driver.settle()
    assert [length for _, length in driver.rings[0].reap()] == [513, 513, 1]
    assert driver.memory.read(write[2], 1) == b"\0"
    assert driver.device.stats["read"] == 1536
    assert driver.device.stats["written"] == 512
    assert driver.device.stats["flushes"] == 1


@pytest.mark.parametrize(
    ("kind", "out", "room"),
    [
        (T_IN, b"", [512, 1]),
        (T_OUT, b"x" * 512, [1]),
        (T_FLUSH, b"", [1]),
        (T_DISCARD, ranges((0, 1, 0)), [1]),
        (T_WRITE_ZEROES, ranges((0, 1, 0)), [1]),
    ],
)
def test_what_fails_later_is_an_ioerr_like_what_fails_at_once(
    kind: int, out: bytes, room: list[int]
) -> None:
    later = Later()
    driver = Driver(Block(later)).start()
    addresses = driver.send(
        0, [block_header(kind, 0), out] if out else [block_header(kind, 0)], room
    )
    later.finish(error=HostError("the network is down"))
    driver.settle()
    assert driver.memory.read(addresses[-1], 1)[0] == IOERR
    assert len(driver.rings[0].reap()) == 1
    assert driver.device.stats["host errors"] == driver.device.stats["errors"] == 1
    assert driver.port.status == READY


def test_a_reset_ends_what_is_under_way_and_its_buffers_stay_as_they_are() -> None:
    """[5]: also when another driver has set up the same queue meanwhile"""
    later = Later()
    driver = Driver(Block(later)).start()
    before = later.dropped
    addresses = driver.send(0, [block_header(T_IN, 0)], [512, 1])
    driver.start()
    assert later.dropped > before
    later.finish()
    driver.settle()
    assert driver.memory.read(addresses[1], 512) == b"\xaa" * 512
    assert driver.rings[0].used_idx == 0
    assert driver.port.interrupts() == (False, False)
    driver.send(0, [block_header(T_IN, 0)], [512, 1])
    later.finish()
    driver.settle()
    assert driver.rings[0].used_idx == 1


def test_a_queue_taken_out_of_use_gets_no_answers() -> None:
    later = Later()
    driver = Driver(Block(later)).start()
    driver.send(0, [block_header(T_FLUSH, 0)], [1])
    driver.device.configure(0, "ready", 0)
    before = driver.memory.sha256()
    later.finish()
    driver.settle()
    assert driver.memory.sha256() == before
    assert driver.port.status == READY


def test_requests_under_way_take_no_more_memory_than_there_is_for_them() -> None:
    """A guest may ask for 256 × 16 MiB at once; the rest waits in its ring."""
    later = Later()
    driver = Driver(Block(later)).start()
    ring, base = driver.rings[0], driver.memory.base
    header, status = driver.buffer(block_header(T_IN, 0)), driver.buffer(1)
    for number in range(40):
        data = [(base + (4 << 20), 4 << 20, True)]
        table = base + (1 << 20) + number * 64
        ring.offer(ring.indirect([(header, 16, False), *data, (status, 1, True)], table))
    driver.port.notify(0)
    most = 0
    while later.waiting:
        most = max(most, sum(count for _, _, count in later.waiting))
        later.finish()
        driver.settle()
    assert MOST_COPIED <= most < MOST_COPIED + MAX_DATA
    assert len(ring.reap()) == 40


# A disk that grows.


def test_a_disk_that_grew_says_so_and_can_be_used_to_its_new_end() -> None:
    drive = Drive(Memory(CONTENT))
    driver = Driver(Block(drive)).start(EVERYTHING & ~EVENT_IDX)
    drive.on_change = lambda: driver.posted.append(driver.device.poll)
    generation = driver.port.generation
    assert ask(driver, T_OUT, SECTORS, b"x" * 512) == IOERR
    driver.port.interrupts()
    drive.resize(2 * len(CONTENT))
    driver.settle()
    assert driver.port.interrupts() == (False, True)
    assert driver.port.generation != generation
    assert driver.port.config(0, 4) == 2 * SECTORS
    assert ask(driver, T_OUT, 2 * SECTORS - 1, b"x" * 512) == OK
    assert ask(driver, T_OUT, 2 * SECTORS, b"x" * 512) == IOERR
    driver.device.poll()
    assert driver.port.interrupts() == (True, False), "nothing has changed since"


def test_a_disk_grows_by_whole_blocks() -> None:
    drive = Drive(Memory(1 << 20))
    driver = Driver(Block(drive, block_size=4096)).start()
    drive.resize((1 << 20) + 5 * 512)
    driver.device.poll()
    assert driver.port.config(0, 4) == 2048
