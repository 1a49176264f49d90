"""What an older emulator fell for, tried on vnb: each case is one that a survey confirmed there.

The cases of the network and the shared folder stand with those devices.
"""

import time
import tracemalloc
from pathlib import Path

import pytest

from tests.virtio.devices import CONTENT, block_header
from tests.virtio.driver import NEXT, READY, TRANSPORTS, WRITE, Driver
from vnb.host.block import Drive, Memory, Raw
from vnb.virtio.block import T_FLUSH, T_IN, T_OUT, UNSUPP, Block
from vnb.virtio.device import ACKNOWLEDGE, DRIVER, FEATURES_OK, NEEDS_RESET


@pytest.fixture(params=TRANSPORTS)
def driver(request: pytest.FixtureRequest) -> Driver:
    return Driver(Block(Drive(Memory(CONTENT))), request.param)


def works(driver: Driver) -> bool:
    """Whether the disk can still be used, after a reset, and holds what it held."""
    driver.start()
    _, answer = driver.ask(0, [block_header(T_IN, 0)], [len(CONTENT), 1])
    return answer == CONTENT + b"\0"


def test_accepting_64_unknown_features_does_not_get_features_ok(driver: Driver) -> None:
    driver.port.status = ACKNOWLEDGE | DRIVER
    driver.port.accept((1 << 64) - 1)
    driver.port.status = ACKNOWLEDGE | DRIVER | FEATURES_OK
    assert not driver.port.status & FEATURES_OK
    assert works(driver)


def test_a_queue_of_a_thousand_million_entries_is_not_accepted(driver: Driver) -> None:
    driver.negotiate()
    driver.port.set_queue(0, 1 << 30, 0x8000_0000, 0x8000_0000, 0x8000_0000)
    assert driver.device.configs[0].size == 256
    assert works(driver)


def test_queue_99_is_not_an_alias_of_queue_0(driver: Driver) -> None:
    driver.negotiate()
    ring = driver.place(0)
    driver.port.set_queue(99, 16, 0x8000_0000, 0x8000_0000, 0x8000_0000)
    assert driver.device.configs[0].desc == ring.desc


def test_the_capacity_cannot_be_written(driver: Driver) -> None:
    driver.start()
    driver.port.set_config(0, 4, 0xFFFF_FFFF)
    assert driver.port.config(0, 4) == len(CONTENT) // 512
    assert driver.ask(0, [block_header(T_IN, 1 << 20)], [512, 1])[1][-1] != 0


def test_a_notification_with_status_0_and_no_queue_ready_serves_nothing(driver: Driver) -> None:
    ring = driver.place(0)
    driver.send(0, [block_header(T_IN, 0)], [512, 1])
    assert ring.used_idx == 0
    assert works(driver)


@pytest.mark.parametrize("kind", [T_FLUSH, 2, 3, 5, 99])
def test_flush_and_unknown_types_complete(driver: Driver, kind: int) -> None:
    driver.start()
    expected = 0 if kind == T_FLUSH else UNSUPP
    assert driver.ask(0, [block_header(kind, 0)], [1]) == (1, bytes((expected,)))


def test_a_chain_that_points_at_itself_ends_at_once(driver: Driver) -> None:
    driver.start()
    for flags in (NEXT, NEXT | WRITE):
        driver.start()
        driver.rings[0].describe(0, driver.buffer(64), 16, flags, 0)
        driver.rings[0].offer(0)
        began = time.perf_counter()
        driver.port.notify(0)
        assert time.perf_counter() - began < 0.5
        assert driver.port.status & NEEDS_RESET
    assert works(driver)


def test_a_read_without_a_writable_descriptor_writes_nowhere(driver: Driver) -> None:
    driver.start()
    before = bytes(driver.memory.view(driver.memory.base + 0x20_0000, 0x1_0000))
    driver.send(0, [block_header(T_IN, 0), before[:512]], [])
    assert driver.port.status & NEEDS_RESET
    assert works(driver)


def test_a_write_without_a_status_byte_aborts_nothing(driver: Driver) -> None:
    driver.start()
    driver.send(0, [block_header(T_OUT, 0), b"x" * 512], [])
    assert driver.port.status & NEEDS_RESET
    assert works(driver)


def test_a_small_guest_that_asks_for_one_large_read_gets_no_host_memory(tmp_path: Path) -> None:
    path = tmp_path / "large.img"
    with path.open("wb") as file:
        file.truncate(4 << 30)
    driver = Driver(Block(Drive(Raw(path)))).start()
    ring = driver.rings[0]
    header, data = driver.buffer(block_header(T_IN, 0)), driver.buffer(16)
    tracemalloc.start()
    ring.offer(ring.chain([(header, 16, False), (data, 2 << 30, True), (data, 1, True)]))
    driver.port.notify(0)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1 << 20
    assert driver.port.status == READY | NEEDS_RESET
