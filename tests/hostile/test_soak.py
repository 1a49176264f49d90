"""A long life, made short: many drivers one after another, and rings that go round and round."""

import gc
import tracemalloc
from typing import Any

import pytest

from tests.contracts.virtio import VirtioContract
from tests.hostile.cases import share
from tests.virtio.devices import DEVICES
from tests.virtio.driver import READY, TRANSPORTS, Driver, Pci
from vnb.stats import Stats

DRIVERS = share(1_000, 1)
ROUNDS = share(3, 1)
"""How often the indices of a ring pass 65,535."""


@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize("kind", DEVICES)
def test_a_thousand_drivers_leave_nothing_behind(
    kind: type[VirtioContract], transport: Any
) -> None:
    contract = kind()
    device = contract.device()
    device.stats = Stats("soak", clock=lambda: 0)  # no time goes by, of which it keeps samples
    driver = Driver(device, transport)

    def live(times: int) -> int:
        for _ in range(times):
            driver.port.status = 0
            contract.roundtrip(driver.start(size=8))
        gc.collect()
        return tracemalloc.get_traced_memory()[0]

    tracemalloc.start()
    try:
        before = live(DRIVERS // 10)
        grown = live(DRIVERS) - before
    finally:
        tracemalloc.stop()
    print(f"{grown} bytes")
    assert grown < 1 << 16


@pytest.mark.parametrize("kind", DEVICES)
def test_rings_go_round_and_nothing_is_lost(kind: type[VirtioContract]) -> None:
    contract = kind()
    driver = Driver(contract.device(), Pci).start(size=8)
    ring, queue = driver.rings[contract.queue], contract.queue
    contract.request(driver)
    driver.port.notify(queue)
    ((head, length),) = ring.reap()
    for _ in range(ROUNDS * 65536 // 8):
        # The same sound chain eight times: what it asks for is in memory still.
        ring.offer(*[head] * 8)
        driver.port.notify(queue)
        assert ring.reap() == [(head, length)] * 8
    assert driver.port.status == READY
