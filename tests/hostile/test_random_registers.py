"""Random register programs: whatever a driver writes, the device raises nothing and resets."""

import random
from collections.abc import Callable

import pytest

from tests.contracts.virtio import VirtioContract
from tests.hostile.cases import PROGRAMS, SEED, share
from tests.virtio.devices import DEVICES
from tests.virtio.driver import READY, RINGS, Driver, Mmio, Pci
from vnb.memory import Memory

PHASES = ("reset", "negotiated", "live")
CASES = share(PROGRAMS, 2 * len(DEVICES) * len(PHASES))
STEPS = 50

VALUES = (*range(20), 127, 128, 255, 0x8000_0000, 0x8001_0000, 0x8001_0100, 0xFFFF_FFFF, 1 << 30)
STATUSES = (1, 3, 11, 15, 15, 64, 128, 255, 0)
SIZES = (1, 2, 4, 8)

# By transport: (offset, bytes) of the registers, the more telling ones more than once.
MMIO = (
    *[(offset, 4) for offset in range(0, 0x100, 4)],
    *[(0x70, 4)] * 30,  # Status
    *[(0x44, 4)] * 10,  # QueueReady
    *[(0x50, 4)] * 10,  # QueueNotify
    *[(0x38, 4)] * 2,  # QueueSize
)
PCI = (
    *[(offset, 4) for offset in (*range(0, 0x10, 4), *range(0x20, 0x38, 4))],
    *[(offset, 2) for offset in (*range(0x10, 0x20, 2), 0x38, 0x3A)],
    *[(0x14, 1)] * 15,  # device_status
    *[(0x1C, 2)] * 5,  # queue_enable
    *[(0x3000 + 4 * queue, 2) for queue in range(5)],  # notifications
)
HEADER = ((0x04, 2), (0x04, 1), (0x10, 4), (0x10, 1), (0x3C, 1), (0x40, 4))
BARS = (0, 0xFFFF_FFFF, 0x4000_0000, 0x5000_0000, 0x7FFF_C000, 0x8000_0000)


def mmio_step(dice: random.Random, driver: Driver) -> None:
    fate = dice.random()
    if fate < 0.8:
        offset, size = dice.choice(MMIO)
        driver.port.write(offset, dice.choice(STATUSES if offset == 0x70 else VALUES), size)
    else:
        anywhere(dice, driver, 0x1000, write=fate < 0.94)


def pci_step(dice: random.Random, driver: Driver) -> None:
    port, fate = driver.port, dice.random()
    if fate < 0.7:
        offset, size = dice.choice(PCI)
        value = dice.choice(STATUSES if offset == 0x14 else VALUES) & (1 << 8 * size) - 1
        port.write(offset, value, size)
    elif fate < 0.76:
        offset, size = dice.choice(HEADER)
        value = 0x6 if offset == 0x04 and dice.random() < 0.8 else dice.choice(BARS)
        port.write_header(offset, value & (1 << 8 * size) - 1, size)
        if dice.random() < 0.8:
            port.wake()
    elif fate < 0.84:
        through_window(dice, port)
    else:
        anywhere(dice, driver, 0x4000, write=fate < 0.95)


def through_window(dice: random.Random, port: Pci) -> None:
    """An access by the capability PCI_CFG, to a register or to nowhere."""
    offset, size = dice.choice(PCI)
    if dice.random() < 0.2:
        offset, size = dice.randrange(0x5000), dice.choice((0, 3, 8, 0xFFFF_FFFF))
    window = port.window_at
    port.write_header(window + 4, dice.choice((0, 0, 0, 0, 1, 6)), 1)
    port.write_header(window + 8, offset, 4)
    port.write_header(window + 12, size, 4)
    if dice.random() < 0.5:
        port.header(window + 16, 4)
    else:
        port.write_header(window + 16, dice.choice(VALUES), 4)


def anywhere(dice: random.Random, driver: Driver, end: int, *, write: bool) -> None:
    size = dice.choice(SIZES)
    offset = dice.randrange(end - size)
    if write:
        driver.port.write(offset, dice.getrandbits(8 * size), size)
    else:
        assert 0 <= driver.port.read(offset, size) < 1 << 8 * size


@pytest.mark.parametrize("phase", PHASES)
@pytest.mark.parametrize(("transport", "step"), [(Mmio, mmio_step), (Pci, pci_step)])
@pytest.mark.parametrize("kind", DEVICES)
def test_no_register_program_does_more_than_break_its_own_device(
    kind: type[VirtioContract],
    transport: type[Mmio | Pci],
    step: Callable[[random.Random, Driver], None],
    phase: str,
) -> None:
    dice = random.Random(f"{SEED} {kind.__name__} {transport.__name__} {phase}")
    contract = kind()
    driver = Driver(contract.device(), transport, Memory(1 << 22))
    for number in range(CASES):
        driver.port.wake()
        if phase == "live":
            driver.start(size=8)
        elif phase == "negotiated":
            driver.negotiate()
            driver.place(dice.randrange(len(driver.device.configs)), 8)
        else:
            driver.port.status = 0
        driver.memory.write(driver.memory.base + RINGS, dice.randbytes(64))
        try:
            for _ in range(STEPS):
                step(dice, driver)
            driver.settle()
            if number % 10 == 0:
                driver.port.wake()
                contract.roundtrip(driver.start(size=8))
        except BaseException:
            print(f"VNB_SEED={SEED}, program {number}")
            raise
    driver.port.wake()
    driver.start()
    assert driver.port.status == READY
